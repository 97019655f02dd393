#include "interruption.h"

#include <csignal>
#include <initializer_list>

namespace luge::cli {
namespace {

volatile std::sig_atomic_t requested = 0;

void note(int) { requested = 1; }

void handle(void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
}

}  // namespace

Interruption::Interruption() {
  requested = 0;
  // Calls of the system that are under way are made again.
  handle(&note, static_cast<int>(SA_RESETHAND) | SA_RESTART);
}
Interruption::~Interruption() { handle(SIG_DFL, 0); }
bool Interruption::is_requested() { return requested != 0; }

}  // namespace luge::cli
