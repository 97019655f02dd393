// What stands in for events.cpp in a build without protobuf.

#include <luge/base/detail/check.h>
#include <luge/train/detail/event_file.h>

namespace luge {

std::unique_ptr<EventFile> make_event_file(const char* op, const std::string&) {
  raise<IoError>(
      "{}: this build of luge writes nothing for TensorBoard: it was configured with LUGE_TENSORBOARD=OFF or without "
      "protobuf and ISA-L (on Debian: libprotobuf-dev, protobuf-compiler, libisal-dev)",
      op);
}

}  // namespace luge
