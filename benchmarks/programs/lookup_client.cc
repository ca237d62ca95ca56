// Asks lookup_service one question after the other. Arguments: the socket's path. For each line on
// standard input it prints a line: the questions asked since the line before, the wrong answers and
// missing ones among them, and the nanoseconds that have passed.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace {

std::atomic<uint64_t> asked{0};
std::atomic<uint64_t> failed{0};

uint64_t SumOfDigits(uint64_t number) {
  uint64_t sum = 0;
  for (; number > 0; number /= 10) sum += number % 10;
  return sum;
}

void Ask(int connection) {
  for (uint64_t number = 1;; number = number * 2862933555777941757u + 3037000493u) {
    uint64_t answer = 0;
    if (write(connection, &number, sizeof(number)) != sizeof(number) ||
        read(connection, &answer, sizeof(answer)) != sizeof(answer) ||
        answer != SumOfDigits(number)) {
      ++failed;
    }
    ++asked;
  }
}

uint64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path)) {
    fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
    return 2;
  }
  strcpy(address.sun_path, argv[1]);
  const int connection = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    perror(argv[1]);
    return 1;
  }
  std::thread(Ask, connection).detach();
  uint64_t last_asked = 0;
  uint64_t last_failed = 0;
  uint64_t last = Now();
  char line[64];
  while (fgets(line, sizeof(line), stdin) != nullptr) {
    const uint64_t now = Now();
    const uint64_t asked_now = asked;
    const uint64_t failed_now = failed;
    printf("%llu %llu %llu\n", static_cast<unsigned long long>(asked_now - last_asked),
           static_cast<unsigned long long>(failed_now - last_failed),
           static_cast<unsigned long long>(now - last));
    fflush(stdout);
    last = now;
    last_asked = asked_now;
    last_failed = failed_now;
  }
  fflush(nullptr);
  _exit(0);
}
