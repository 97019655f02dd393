#include "run_program.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

namespace luge::test {

Outcome run_luge(const std::string& arguments, const std::string& environment) {
  const Folder folder;
  const std::string out = folder.path("out"), err = folder.path("err");
  const std::string command = environment + " " LUGE_PROGRAM " " + arguments + " >" + out + " 2>" + err + " </dev/null";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
}

Outcome run_and_signal(const std::string& arguments, const std::string& line, int signal, const std::string& out) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  EXPECT_GE(fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
  const std::string command = "exec " LUGE_PROGRAM " " + arguments + " >" + out + " </dev/null";
  const pid_t program = fork();
  if (program == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    close(ends[1]);
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  std::string messages;
  bool sent = false;
  char some[64];
  for (ssize_t count; (count = read(ends[0], some, sizeof some)) > 0;) {
    messages.append(some, static_cast<std::size_t>(count));
    if (!sent && messages.find(line) != std::string::npos) sent = kill(program, signal) == 0;
  }
  close(ends[0]);
  int status = -1;
  waitpid(program, &status, 0);
  EXPECT_TRUE(sent) << messages;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), messages};
}

}  // namespace luge::test
