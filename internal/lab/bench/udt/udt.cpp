// udt carries a file over UDT, the protocol's own library at its own settings:
//
//	udt send ADDRESS PORT FILE      to everybody who connects, until it is killed
//	udt receive ADDRESS PORT FILE   into a new file, which grows as bytes arrive
//
// On the connection the file's size comes first, as 8 bytes, most significant
// first, so that a part is never taken for the whole.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <udt/udt.h>

namespace {

constexpr size_t chunk = 256 << 10;

[[noreturn]] void fail_udt(const std::string& what) {
  throw std::runtime_error(what + ": " + UDT::getlasterror().getErrorMessage());
}

[[noreturn]] void fail_system(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

sockaddr_in address(const char* host, const char* port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  if (inet_pton(AF_INET, host, &a.sin_addr) != 1) throw std::runtime_error(std::string("address ") + host);
  return a;
}

void send_all(UDTSOCKET peer, const char* data, size_t size) {
  for (size_t sent = 0; sent < size;) {
    int n = UDT::send(peer, data + sent, static_cast<int>(size - sent), 0);
    if (n == UDT::ERROR) fail_udt("send");
    sent += n;
  }
}

// serve sends the file; closing waits until the peer has taken all of it.
void serve(UDTSOCKET peer, const char* path) {
  int file = open(path, O_RDONLY);
  struct stat st;
  if (file < 0 || fstat(file, &st) != 0) fail_system(path);
  char header[8];
  for (int i = 0; i < 8; i++) header[i] = static_cast<char>(static_cast<uint64_t>(st.st_size) >> (56 - 8 * i));
  send_all(peer, header, sizeof header);
  std::vector<char> buffer(chunk);
  for (ssize_t n; (n = read(file, buffer.data(), chunk)) != 0;) {
    if (n < 0) fail_system(path);
    send_all(peer, buffer.data(), n);
  }
  close(file);
  UDT::close(peer);
}

void send_file(const sockaddr_in& at, const char* path) {
  UDTSOCKET listener = UDT::socket(AF_INET, SOCK_STREAM, 0);
  if (UDT::bind(listener, reinterpret_cast<const sockaddr*>(&at), sizeof at) == UDT::ERROR) fail_udt("bind");
  if (UDT::listen(listener, 16) == UDT::ERROR) fail_udt("listen");
  std::cerr << "listening" << std::endl;
  for (;;) {
    sockaddr_in from;
    int size = sizeof from;
    UDTSOCKET peer = UDT::accept(listener, reinterpret_cast<sockaddr*>(&from), &size);
    if (peer == UDT::INVALID_SOCK) fail_udt("accept");
    std::thread([peer, path] {
      try {
        serve(peer, path);
      } catch (const std::exception& e) {
        std::cerr << "udt: " << e.what() << std::endl;
      }
    }).detach();
  }
}

int receive_some(UDTSOCKET peer, char* into, size_t most) {
  int n = UDT::recv(peer, into, static_cast<int>(most), 0);
  if (n == UDT::ERROR) fail_udt("receive");
  return n;
}

void receive_file(const sockaddr_in& from, const char* path) {
  UDTSOCKET peer = UDT::socket(AF_INET, SOCK_STREAM, 0);
  if (UDT::connect(peer, reinterpret_cast<const sockaddr*>(&from), sizeof from) == UDT::ERROR) fail_udt("connect");
  char header[8];
  for (size_t got = 0; got < sizeof header;) got += receive_some(peer, header + got, sizeof header - got);
  uint64_t left = 0;
  for (unsigned char byte : header) left = left << 8 | byte;
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (file < 0) fail_system(path);
  std::vector<char> buffer(chunk);
  while (left > 0) {
    int n = receive_some(peer, buffer.data(), left < chunk ? left : chunk);
    for (int written = 0; written < n;) {
      ssize_t w = write(file, buffer.data() + written, n - written);
      if (w < 0) fail_system(path);
      written += static_cast<int>(w);
    }
    left -= n;
  }
  if (close(file) != 0) fail_system(path);
  UDT::close(peer);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc == 5 ? argv[1] : "";
  if (mode != "send" && mode != "receive") {
    std::cerr << "usage: udt send|receive ADDRESS PORT FILE" << std::endl;
    return 2;
  }
  try {
    UDT::startup();
    const sockaddr_in at = address(argv[2], argv[3]);
    if (mode == "send") {
      send_file(at, argv[4]);
    } else {
      receive_file(at, argv[4]);
    }
    UDT::cleanup();
  } catch (const std::exception& e) {
    std::cerr << "udt: " << e.what() << std::endl;
    _exit(1);  // the library's threads may still run
  }
}
