// The consumer's shared library.
#ifndef CONSUMER_BILLING_H_
#define CONSUMER_BILLING_H_

namespace billing {
int Charge(int amount);
}

#endif  // CONSUMER_BILLING_H_
