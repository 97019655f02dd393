#include "run_program.h"

#include <sys/wait.h>

#include <cstdlib>

namespace luge::test {

Outcome run_luge(const std::string& arguments, const std::string& environment) {
  const Folder folder;
  const std::string out = folder.path("out"), err = folder.path("err");
  const std::string command = environment + " " LUGE_PROGRAM " " + arguments + " >" + out + " 2>" + err + " </dev/null";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
}

}  // namespace luge::test
