// Asio: a server and a client talk over a local connection, in a thread of their own; handlers wait
// in strands and for timers, are bound to allocators, and leave io_context::run() by exceptions.
//
// Which thread gets which handler is chance, so no context is run by two.
#include <asio.hpp>
#include <chrono>
#include <cstdio>
#include <functional>
#include <istream>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

constexpr int kMessages = 60;

using Socket = asio::local::stream_protocol::socket;

int ReadNumber(asio::streambuf* buffer) {
  std::istream stream(buffer);
  int number = 0;
  stream >> number;
  stream.ignore();
  return number;
}

// Sends numbers, each after the answer to the one before.
class Client {
 public:
  explicit Client(Socket* socket) : socket_(socket) {}
  void Send(int number) {
    number_ = number;
    line_ = std::to_string(number) + "\n";
    asio::async_write(*socket_, asio::buffer(line_), [this](const std::error_code& error, size_t) {
      if (!error) Receive();
    });
  }
  int sum() const { return sum_; }

 private:
  void Receive() {
    asio::async_read_until(*socket_, answer_, '\n', [this](const std::error_code& error, size_t) {
      if (error) return;
      sum_ += ReadNumber(&answer_);
      if (number_ < kMessages) {
        Send(number_ + 1);
      } else {
        socket_->close();
      }
    });
  }

  Socket* socket_;
  asio::streambuf answer_;
  std::string line_;
  int number_ = 0;
  int sum_ = 0;
};

// Answers each line with twice its number.
class Server {
 public:
  explicit Server(Socket* socket) : socket_(socket) {}
  void Receive() {
    asio::async_read_until(*socket_, request_, '\n', [this](const std::error_code& error, size_t) {
      if (!error) Answer();
    });
  }

 private:
  void Answer() {
    line_ = std::to_string(2 * ReadNumber(&request_)) + "\n";
    asio::async_write(*socket_, asio::buffer(line_), [this](const std::error_code& error, size_t) {
      if (!error) Receive();
    });
  }

  Socket* socket_;
  asio::streambuf request_;
  std::string line_;
};

void Talk() {
  asio::io_context context;
  Socket near_end(context);
  Socket far_end(context);
  asio::local::connect_pair(near_end, far_end);
  Server server(&far_end);
  Client client(&near_end);
  server.Receive();
  client.Send(1);
  std::thread thread([&context] { context.run(); });
  thread.join();
  printf("answers: %d\n", client.sum());
}

void RunInTurns() {
  asio::io_context context;
  auto strand = asio::make_strand(context);
  std::string order;
  for (int i = 0; i < 120; ++i) {
    asio::post(strand, [&order, i] { order += static_cast<char>('a' + i % 26); });
    asio::defer(context, [&] { asio::dispatch(strand, [&order] { order += '.'; }); });
  }
  context.run();
  printf("%s\n", order.c_str());
}

void ThrowFromHandlers() {
  asio::io_context context;
  asio::steady_timer timer(context);
  int fired = 0;
  const auto long_ago = std::chrono::steady_clock::time_point();
  std::function<void(const std::error_code&)> again = [&](const std::error_code&) {
    if (++fired == 20) return;
    timer.expires_at(long_ago);
    timer.async_wait(again);
    if (fired % 2 == 0) throw std::runtime_error("from a handler");
  };
  again({});
  int caught = 0;
  for (bool done = false; !done;) {
    try {
      context.run();
      done = true;
    } catch (const std::runtime_error&) {
      ++caught;
    }
  }
  printf("timer: %d, caught: %d\n", fired, caught);
}

}  // namespace

int main() {
  Talk();
  RunInTurns();
  ThrowFromHandlers();
}
