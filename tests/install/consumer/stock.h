// The consumer's static library.
#ifndef CONSUMER_STOCK_H_
#define CONSUMER_STOCK_H_

namespace stock {
int Reserve(int article);
}

#endif  // CONSUMER_STOCK_H_
