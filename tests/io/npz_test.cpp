#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <luge/luge.h>

#include "data/idx_files.h"
#include "devices.h"
#include "expect.h"
#include "io/npy_files.h"

namespace luge {
namespace {

using namespace luge::test;
using Tensors = std::map<std::string, Tensor>;

class Npz : public DeviceTest {
 protected:
  std::string path() const { return folder_.path("a.npz"); }
  void expect_same(const Tensors& actual, const Tensors& expected) const {
    ASSERT_EQ(actual.size(), expected.size());
    for (const auto& [name, tensor] : expected) {
      SCOPED_TRACE(name);
      ASSERT_TRUE(actual.contains(name));
      EXPECT_TRUE(same(actual.at(name), tensor));
      EXPECT_EQ(actual.at(name).device(), device());
    }
  }

  Folder folder_;
};
LUGE_ON_EVERY_DEVICE(Npz);

TEST_P(Npz, KeepsEveryDTypeShapeAndName) {
  for (const bool compressed : {false, true}) {
    Tensors tensors;
    for (const DType dtype : kNpyDTypes) {
      const Tensor x = arange(12, on(float32)).to(dtype);
      tensors.emplace(std::string(name(dtype)), x.reshape({3, 4}));
      tensors.emplace(fmt::format("layer 1/{}.weight", name(dtype)), x.reshape({3, 4}).t());
      tensors.emplace(fmt::format("{} größer", name(dtype)), x.slice(0, 1, 12, 3));
      tensors.emplace(fmt::format("{}.npy", name(dtype)), x[5]);
    }
    tensors.emplace("", zeros({0, 3}, on()));
    tensors.emplace(std::string(5000, 'n'), ones({2}, on()));
    save_npz(path(), tensors, compressed);
    expect_same(load_npz(path(), device()), tensors);
  }
}

TEST_P(Npz, CompressesAndMovesInPieces) {
  const Tensors tensors{{"zeros", zeros({1'100'001}, on())},
                        {"numbers", arange(0, 600'003, 1, on(float64))},
                        {"columns", arange(0, 1'400'000, 1, on(float32)).reshape({2, 700'000}).slice(1, 0, 600'000)}};
  for (const bool compressed : {false, true}) {
    save_npz(path(), tensors, compressed);
    EXPECT_EQ(std::filesystem::file_size(path()) > 14'000'000, !compressed);
    expect_same(load_npz(path(), device()), tensors);
  }
}

TEST_P(Npz, IsRefusedWhileAStepIsCaptured) {
  const Tensors tensors{{"x", ones({3}, on())}};
  save_npz(path(), tensors);
  expect_errors({LUGE_ERROR(CaptureError, "save_npz.*reads a value on the host", capture([&] {
                              save_npz(path(), tensors);
                              return tensors.at("x");
                            })()),
                 LUGE_ERROR(CaptureError, "load_npz.*brings values",
                            capture([&] { return load_npz(path(), device()).at("x"); })())});
}

// ---- the archive

/// Two members, of 152 and 131 bytes.
Tensors two_tensors() {
  return {{"a", arange(6, {.dtype = float32}).reshape({2, 3})}, {"b", arange(3, {.dtype = int8})}};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  int count = 0;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()), ++count)
    text.replace(at, from.size(), to);
  EXPECT_EQ(count, 2) << from;  // before the member and in the directory
  return text;
}

TEST(NpzFile, OfTheSameTensorsHasTheSameBytes) {
  const Folder folder;
  for (const bool compressed : {false, true}) {
    save_npz(folder.path("a.npz"), two_tensors(), compressed);
    save_npz(folder.path("b.npz"), two_tensors(), compressed);
    const std::string bytes = text_of(folder.path("a.npz"));
    EXPECT_EQ(bytes, text_of(folder.path("b.npz")));
    EXPECT_EQ(bytes.substr(10, 4), std::string("\0\0\x21\0", 4));  // 1980-01-01 00:00
  }
}

TEST(NpzFile, CanHoldNothing) {
  const Folder folder;
  save_npz(folder.path("a.npz"), {});
  EXPECT_EQ(std::filesystem::file_size(folder.path("a.npz")), 22U);
  EXPECT_TRUE(load_npz(folder.path("a.npz")).empty());
}

TEST(NpzFile, IsNotTouchedByASaveThatFails) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  save_npz(path, two_tensors());
  const std::string before = text_of(path);
  const Tensor x = ones({2});
  expect_errors(
      {LUGE_ERROR(DTypeError, "^save_npz: tensors\\['b'\\] is bfloat16.*safetensors",
                  save_npz(path, {{"a", x}, {"b", x.to(bfloat16)}})),
       LUGE_ERROR(ValueError, "^save_npz: tensors\\['c'\\] is an undefined tensor", save_npz(path, {{"c", Tensor()}})),
       LUGE_ERROR(ValueError, "^save_npz: a name of 3 bytes; a name has no zero bytes", save_npz(path, {{"a\0b"s, x}})),
       LUGE_ERROR(ValueError, "^save_npz: a name of 65532 bytes; .*at most 65531",
                  save_npz(path, {{std::string(65532, 'x'), x}})),
       LUGE_ERROR(ValueError, "^save_npz: a name of 2 bytes is not UTF-8", save_npz(path, {{"\xC3("s, x}})),
       LUGE_ERROR(IoError, "^save_npz: cannot write", save_npz(folder.path("none/a.npz"), {{"a", x}}))});
  EXPECT_EQ(text_of(path), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

/// No file may become larger than this while it lives, as on a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &before_), 0);
    const rlimit limit{bytes, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(NpzFile, IsNotTouchedWhereTheDiskIsFull) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  save_npz(path, two_tensors());
  const std::string before = text_of(path);
  const Tensor x = arange(100'000, {.dtype = int64});
  for (const rlim_t limit : {0, 10, 4096, 500'000}) {
    const FileSizeLimit full(limit);
    expect_errors({LUGE_ERROR(IoError, "^save_npz: cannot write '.*a.npz': File too large", save_npz(path, {{"x", x}})),
                   LUGE_ERROR(IoError, "^save_npy: cannot write '.*a.npz': File too large", save_npy(path, x))});
  }
  EXPECT_EQ(text_of(path), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(NpzFile, RefusesWhatIsNoArchive) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  expect_errors({LUGE_ERROR(IoError, "load_npz: cannot read '.*none': No such file", load_npz(folder.path("none")))});
  write_text(path, "");
  expect_errors(
      {LUGE_ERROR(IoError, "^load_npz: '.*a.npz': the file is empty; an npz file is a zip archive", load_npz(path))});
  save_npy(path, ones({2}));
  expect_errors({LUGE_ERROR(IoError, "^load_npz: '.*a.npz': Not a zip archive; an npz file is", load_npz(path))});
}

TEST(NpzFile, RefusesMembersThatAreNotArraysOrThereTwice) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  save_npz(path, two_tensors());
  const std::string good = text_of(path);
  write_text(path, replaced(good, "b.npy", "a.npy"));
  expect_errors({LUGE_ERROR(IoError, "^load_npz: '.*': member 'a.npy': two members have this name", load_npz(path))});
  write_text(path, replaced(good, "b.npy", "b.txt"));
  expect_errors({LUGE_ERROR(IoError, "^load_npz: '.*': member 'b.txt': it is no array; .*'.npy'", load_npz(path))});
  write_text(path, replaced(good, "b.npy", "\n.xyz"));
  expect_errors({LUGE_ERROR(IoError, "member '\\?.xyz': it is no array", load_npz(path))});
}

TEST(NpzFile, RefusesOneWhoseNamesDiffer) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  save_npz(path, two_tensors());
  const std::string good = text_of(path);
  for (const std::size_t at : {good.find("b.npy"), good.rfind("b.npy")}) {
    std::string bad = good;
    bad[at] = 'c';
    write_text(path, bad);
    expect_errors({LUGE_ERROR(IoError, "^load_npz: '.*a.npz': member '.\\.npy': its own header has the name '.\\.npy'$",
                              load_npz(path))});
  }
  std::string bad = good;
  bad[0] = 'Q';  // the signature of the first member
  write_text(path, bad);
  expect_errors(
      {LUGE_ERROR(IoError, "member 'a.npy': there is no header of a member before its data", load_npz(path))});
}

TEST(NpzFile, NamesTheMemberWhoseHeaderIsWrong) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  save_npz(path, two_tensors());
  std::string file = text_of(path);
  file.replace(file.find("|i1"), 3, "|u4");
  write_text(path, file);
  expect_errors(
      {LUGE_ERROR(DTypeError, "^load_npz: '.*a.npz': member 'b.npy': the array is of dtype '\\|u4'", load_npz(path))});
  file.replace(file.find("|u4"), 3, "<i2");
  write_text(path, file);
  expect_errors(
      {LUGE_ERROR(IoError, "member 'b.npy': the shape \\(3,\\) of int16 asks for 6 bytes from offset 128; there are 3",
                  load_npz(path))});
}

TEST(NpzFile, TakesNoMemoryForSizesThatDeflateCannotGive) {
  const Folder folder;
  const std::string path = folder.path("a.npz");
  save_npz(path, {{"a", zeros({25'000'000})}}, true);
  std::string file = text_of(path);
  EXPECT_LT(file.size(), 110'000U);  // as dense as deflate can be, and it is read
  EXPECT_EQ(load_npz(path).at("a").numel(), 25'000'000);
  // The same data, said to be more than a thousand times as much.
  const std::size_t directory = file.rfind("PK\1\2"s);
  for (const std::size_t i : {24U, 25U, 26U, 27U}) file[directory + i] = '\x7F';
  write_text(path, file);
  reset_peak_memory(Device::cpu());
  const std::size_t before = memory_stats(Device::cpu()).peak;
  expect_errors({LUGE_ERROR(
      IoError, "member 'a.npy': it has .* bytes in the archive, which hold at most .*; its size is given as",
      load_npz(path))});
  EXPECT_EQ(memory_stats(Device::cpu()).peak, before);
}

TEST(NpzFile, CutAnywhereIsAnError) {
  const Folder folder;
  MemoryFile file;
  for (const bool compressed : {false, true}) {
    save_npz(folder.path("a.npz"), two_tensors(), compressed);
    const std::string whole = text_of(folder.path("a.npz"));
    for (std::size_t n = 0; n < whole.size(); ++n) {
      file.write(whole.substr(0, n));
      EXPECT_THROW(load_npz(file.path()), IoError) << n;
    }
  }
}

TEST(NpzFile, FlippedBitsGiveAnErrorOrTheSameValues) {
  const Folder folder;
  MemoryFile file;
  for (const bool compressed : {false, true}) {
    save_npz(folder.path("a.npz"), two_tensors(), compressed);
    const std::string whole = text_of(folder.path("a.npz"));
    int errors = 0;
    for (std::size_t i = 0; i < whole.size(); ++i)
      for (int bit = 0; bit < 8; ++bit) {
        std::string flipped = whole;
        flipped[i] = static_cast<char>(flipped[i] ^ 1 << bit);
        file.write(flipped);
        try {
          const Tensors loaded = load_npz(file.path());
          for (const auto& [name, tensor] : loaded)
            ASSERT_TRUE(two_tensors().contains(name) && same(tensor, two_tensors().at(name))) << i << ", bit " << bit;
        } catch (const IoError&) {
          ++errors;
        } catch (const DTypeError&) {
          ++errors;
        }
      }
    EXPECT_GT(errors, static_cast<int>(whole.size()) * 5);
  }
}

}  // namespace
}  // namespace luge
