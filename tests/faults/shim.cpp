// Goes between a program and the system's calls on files (LD_PRELOAD), so that the n-th one fails, is cut short or
// kills. FAULT="call,n,what": call is open, write, pwrite, fsync, rename or any; n counts from 1; what is an errno's
// number, "short" (half of the bytes), "eintr" (fails once), or "kill" (SIGKILL before the call).

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace {

struct Fault {
  const char* call = "";
  long n = 0, seen = 0;
  int error = 0;
  bool is_short = false, kills = false;

  Fault() {
    static char text[64];
    const char* const given = std::getenv("FAULT");
    if (!given || std::strlen(given) >= sizeof text) return;
    std::strcpy(text, given);
    char* const number = std::strchr(text, ',');
    char* const what = number ? std::strchr(number + 1, ',') : nullptr;
    if (!what) std::abort();
    *number = *what = '\0';
    call = text;
    n = std::atol(number + 1);
    is_short = std::strcmp(what + 1, "short") == 0;
    kills = std::strcmp(what + 1, "kill") == 0;
    error = std::strcmp(what + 1, "eintr") == 0 ? EINTR : std::atoi(what + 1);
  }

  /// Whether this is the call that has it; does not come back from one that kills.
  bool hits(const char* name) {
    if (std::strcmp(call, "any") != 0 && std::strcmp(call, name) != 0) return false;
    if (++seen != n) return false;
    // Tells the test that there was such a call.
    if (const char* const mark = std::getenv("FAULT_MARK")) symlink("hit", mark);
    if (kills) raise(SIGKILL);
    return true;
  }
};

Fault& fault() {
  static Fault one;
  return one;
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

bool fails(const char* name) {
  if (!fault().hits(name) || fault().error == 0) return false;
  errno = fault().error;
  return true;
}

ssize_t moved(const char* name, ssize_t bytes, ssize_t (*call)(int, const void*, size_t, off_t), int file,
              const void* data, off_t offset) {
  if (fault().hits(name)) {
    if (fault().error != 0) return errno = fault().error, -1;
    if (fault().is_short && bytes > 1) bytes /= 2;
  }
  return call(file, data, static_cast<size_t>(bytes), offset);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (fails("open")) return -1;
  return next<int (*)(const char*, int, ...)>("open")(path, flags, mode);
}

ssize_t write(int file, const void* data, size_t bytes) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return moved(
      "write", static_cast<ssize_t>(bytes),
      [](int to, const void* from, size_t count, off_t) { return real(to, from, count); }, file, data, 0);
}

ssize_t pwrite(int file, const void* data, size_t bytes, off_t offset) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return moved("pwrite", static_cast<ssize_t>(bytes), real, file, data, offset);
}

int fsync(int file) { return fails("fsync") ? -1 : next<int (*)(int)>("fsync")(file); }

int rename(const char* from, const char* to) {
  return fails("rename") ? -1 : next<int (*)(const char*, const char*)>("rename")(from, to);
}

}  // extern "C"
