// Boost.Spirit: a grammar of arithmetic expressions, which is recursive, with actions; mistakes are
// reported by exceptions that pass the parser.
#include <boost/phoenix/bind.hpp>
#include <boost/phoenix/core.hpp>
#include <boost/phoenix/operator.hpp>
#include <boost/spirit/include/qi.hpp>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace {

namespace qi = boost::spirit::qi;
using Iterator = std::string::const_iterator;

int Divide(int dividend, int divisor) {
  if (divisor == 0) throw std::domain_error("division by zero");
  return dividend / divisor;
}

struct Calculator : qi::grammar<Iterator, int(), qi::space_type> {
  Calculator() : Calculator::base_type(expression) {
    using boost::phoenix::bind;
    using qi::_1;
    using qi::_val;
    expression = term[_val = _1] >> *(('+' > term[_val += _1]) | ('-' > term[_val -= _1]));
    term = factor[_val = _1] >>
           *(('*' > factor[_val *= _1]) | ('/' > factor[_val = bind(&Divide, _val, _1)]));
    factor = qi::int_[_val = _1] | ('(' > expression[_val = _1] > ')') | ('-' > factor[_val = -_1]);
  }
  qi::rule<Iterator, int(), qi::space_type> expression, term, factor;
};

std::string Nested(int depth) {
  if (depth == 0) return "7";
  return "(" + Nested(depth - 1) + " + 2 * " + std::to_string(depth) + ") - -1";
}

std::string Evaluate(const Calculator& calculator, const std::string& text) {
  Iterator position = text.begin();
  int value = 0;
  try {
    if (!qi::phrase_parse(position, text.end(), calculator, qi::space, value)) return "no match";
  } catch (const qi::expectation_failure<Iterator>& error) {
    return "expected something at " + std::to_string(error.first - text.begin());
  } catch (const std::domain_error& error) {
    return error.what();
  }
  return std::to_string(value) + " after " + std::to_string(position - text.begin());
}

}  // namespace

int main() {
  const Calculator calculator;
  for (const char* text : {"1 + 2 * 3", "(1 + 2) * 3", "8 / (4 - 4)", "2 * (3", "", "1 +", "4 4"}) {
    printf("%-12s %s\n", text, Evaluate(calculator, text).c_str());
  }
  for (int depth = 1; depth <= 8; ++depth) {
    printf("%d: %s\n", depth, Evaluate(calculator, Nested(depth)).c_str());
  }
}
