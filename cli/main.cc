#include "cli/commands.h"

int main(int argc, char** argv) { return autotrace::cli::RunAutotracer(argc, argv); }
