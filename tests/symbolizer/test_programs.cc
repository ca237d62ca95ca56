#include "test_programs.h"

#include <stdio.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

#include "symbolizer/function_name.h"

namespace autotrace::symbolizer {

const char* Name(Compiler compiler) { return compiler == Compiler::kGcc ? "GCC" : "Clang"; }

std::string Run(const std::string& command) {
  INFO(command);
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  char buffer[65536];
  for (size_t size; (size = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    output.append(buffer, size);
  }
  REQUIRE(pclose(pipe) == 0);
  return output;
}

void Compile(Compiler compiler, const std::string& flags, const std::vector<std::string>& sources,
             const std::string& output) {
  std::string command = compiler == Compiler::kGcc ? SYMBOLIZER_TEST_GXX : SYMBOLIZER_TEST_CLANGXX;
  command += " -std=c++20 -w " + flags;
  for (const std::string& source : sources) {
    command += " " + (source.front() == '/' ? source : Fixture(source));
  }
  // From the output's folder: Clang records sources below the current one by relative paths.
  const std::string folder = std::filesystem::path(output).parent_path().string();
  Run("cd " + folder + " && " + command + " -o " + output);
}

std::string Fixture(const std::string& name) {
  return std::string(SYMBOLIZER_TEST_FIXTURES) + "/" + name;
}

std::vector<Symbol> Functions(const ModuleImage& image) {
  std::vector<Symbol> functions;
  image.ForEachFunction(
      [](void* context, const Symbol& symbol) {
        static_cast<std::vector<Symbol>*>(context)->push_back(symbol);
      },
      &functions);
  return functions;
}

std::map<std::string, uint64_t> AddressesByName(const ModuleImage& image) {
  std::map<std::string, uint64_t> addresses;
  for (const Symbol& symbol : Functions(image)) {
    addresses[QualifiedName(symbol.name)] = symbol.address;
  }
  return addresses;
}

std::vector<uint64_t> CallSites(const std::string& path) {
  std::istringstream lines(Run("objdump -d --no-show-raw-insn " + path));
  std::vector<uint64_t> sites;
  bool after_call = false;
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(":\t");
    if (colon == std::string::npos) continue;
    if (after_call) sites.push_back(std::stoull(line.substr(0, colon), nullptr, 16) - 1);
    after_call = line.find("\tcall ") != std::string::npos ||
                 line.find("\tcall\t") != std::string::npos ||
                 line.find("\tbl\t") != std::string::npos;
  }
  return sites;
}

}  // namespace autotrace::symbolizer
