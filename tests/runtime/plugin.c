// A library that module_table_test opens. It is compiled under several names of the same length, so
// that the results differ in nothing but their contents.
#define JOIN(a, b) a##b
#define NAME(a) JOIN(a, PLUGIN_NAME)

int NAME(answer_)(void) { return PLUGIN_ANSWER; }
int Ask(void) { return NAME(answer_)(); }
int Tell(void) { return -NAME(answer_)(); }
