#include "run_program.h"

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace luge::test {

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

Outcome run_luge(const std::string& arguments, const std::string& environment) {
  const Folder folder;
  const std::string out = folder.path("out"), err = folder.path("err");
  const std::string command = environment + " " LUGE_PROGRAM " " + arguments + " >" + out + " 2>" + err + " </dev/null";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
}

}  // namespace luge::test
