// A service that answers questions about numbers over a Unix socket: each connection has a thread,
// each request is a number of 8 bytes and so is its answer, the sum of its digits by way of some
// twenty functions. Arguments: the socket's path. Ends when its standard input does.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <thread>

#define UNTRACED __attribute__((no_instrument_function))
#define NOINLINE __attribute__((noinline))

namespace lookup {

NOINLINE int Value(char digit) { return digit - '0'; }

NOINLINE std::string Text(uint64_t number) { return std::to_string(number); }

NOINLINE uint64_t SumOfDigits(const std::string& text) {
  uint64_t sum = 0;
  for (const char digit : text) sum += static_cast<uint64_t>(Value(digit));
  return sum;
}

NOINLINE uint64_t Answer(uint64_t number) { return SumOfDigits(Text(number)); }

}  // namespace lookup

namespace service {

NOINLINE bool HandleRequest(int connection) {
  uint64_t number = 0;
  if (read(connection, &number, sizeof(number)) != sizeof(number)) return false;
  const uint64_t answer = lookup::Answer(number);
  return write(connection, &answer, sizeof(answer)) == sizeof(answer);
}

}  // namespace service

UNTRACED static void Serve(int connection) {
  while (service::HandleRequest(connection)) {
  }
  close(connection);
}

UNTRACED int main(int argc, char** argv) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path)) {
    fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
    return 2;
  }
  strcpy(address.sun_path, argv[1]);
  const int listening = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listening, 16) != 0) {
    perror(argv[1]);
    return 1;
  }
  std::thread([listening]() UNTRACED {
    for (int connection; (connection = accept(listening, nullptr, nullptr)) >= 0;) {
      std::thread(Serve, connection).detach();
    }
  }).detach();
  puts("ready");
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  fflush(nullptr);
  _exit(0);
}
