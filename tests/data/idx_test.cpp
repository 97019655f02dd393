#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <luge/data/idx.h>
#include <luge/base/error.h>
#include <luge/ops/create.h>

#include "has_words.h"
#include "idx_files.h"

namespace luge {
namespace {

using namespace luge::test;

/// What reading the file says; empty where it succeeds.
std::string read_error(const std::string& path) {
  try {
    read_idx(path);
    return {};
  } catch (const IoError& error) {
    return error.what();
  }
}

TEST(Idx, ReadsEveryElementType) {
  const Folder folder;
  const std::string path = folder.path("a");
  const auto values_of = [&](const Bytes& bytes) {
    write_plain(path, bytes);
    const IdxArray array = read_idx(path);
    EXPECT_EQ(array.shape, (Shape{3}));
    return array.to_tensor().to_vector<double>();
  };
  using Values = std::vector<double>;
  EXPECT_EQ(values_of(idx_bytes<std::uint8_t, std::uint8_t>(0x08, {3}, {0, 1, 255})), (Values{0, 1, 255}));
  EXPECT_EQ(values_of(idx_bytes<std::uint8_t, std::int8_t>(0x09, {3}, {-128, 0, 127})), (Values{-128, 0, 127}));
  EXPECT_EQ(values_of(idx_bytes<std::uint16_t, std::int16_t>(0x0B, {3}, {-32768, 258, 32767})), (Values{-32768, 258, 32767}));
  EXPECT_EQ(values_of(idx_bytes<std::uint32_t, std::int32_t>(0x0C, {3}, {-2147483647, 16909060, 7})), (Values{-2147483647, 16909060, 7}));
  EXPECT_EQ(values_of(idx_bytes<std::uint32_t, float>(0x0D, {3}, {-0.5F, 1e30F, 3.0F})), (Values{-0.5, static_cast<double>(1e30F), 3}));
  EXPECT_EQ(values_of(idx_bytes<std::uint64_t, double>(0x0E, {3}, {-0.1, 1e300, 3})), (Values{-0.1, 1e300, 3}));
}

TEST(Idx, NumbersThatAnIntegerCannotHoldBecomeWhatTensorsMakeOfThem) {
  const Folder folder;
  const std::string path = folder.path("a");
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> values{nan, infinity, -infinity, 1e30, -1e30, 2147483648.0, 300.5, -1};
  const Tensor tensor = from_host(values, {8});
  write_plain(path, idx_bytes<std::uint64_t, double>(0x0E, {8}, values));
  const IdxArray doubles = read_idx(path);
  std::vector<float> floats(values.begin(), values.end());
  write_plain(path, idx_bytes<std::uint32_t, float>(0x0D, {8}, floats));
  for (const DType dtype : {boolean, uint8, int8, int16, int32, int64, float16, float32, float64}) {
    const auto expected = tensor.to(dtype).to_vector<double>(), actual = doubles.to_tensor(dtype).to_vector<double>(),
               of_floats = read_idx(path).to_tensor(dtype).to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto same = [&](double x) { return x == expected[i] || (std::isnan(x) && std::isnan(expected[i])); };
      EXPECT_TRUE(same(actual[i])) << name(dtype) << " of " << values[i] << ": " << actual[i];
      EXPECT_TRUE(same(of_floats[i]) || dtype == float64) << name(dtype) << " of " << floats[i] << ": " << of_floats[i];
    }
  }
}

TEST(Idx, ConvertsToTheAskedDType) {
  const Folder folder;
  const std::string path = folder.path("a");
  write_plain(path, idx_bytes<std::uint8_t, std::uint8_t>(0x08, {2, 2}, {0, 1, 2, 255}));
  const IdxArray array = read_idx(path);
  EXPECT_EQ(array.to_tensor().dtype(), int32);
  for (const DType dtype : {boolean, uint8, int32, int64, float16, bfloat16, float32, float64}) {
    const Tensor tensor = array.to_tensor(dtype);
    EXPECT_EQ(tensor.dtype(), dtype);
    EXPECT_EQ(tensor.shape(), (Shape{2, 2}));
    EXPECT_EQ(tensor.to_vector<double>(), dtype == boolean ? (std::vector<double>{0, 1, 1, 1}) : (std::vector<double>{0, 1, 2, 255}));
  }
}

TEST(Idx, ReadsGzipAndSeveralDimensions) {
  const Folder folder;
  std::vector<std::uint8_t> values(2 * 3 * 4);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * 7);
  write_gzip(folder.path("a.gz"), idx_bytes<std::uint8_t>(0x08, {2, 3, 4}, values));
  const IdxArray array = read_idx(folder.path("a.gz"));
  EXPECT_EQ(array.shape, (Shape{2, 3, 4}));
  EXPECT_EQ(array.type, IdxType::UInt8);
  EXPECT_EQ(array.to_tensor().to_vector<std::int32_t>(), std::vector<std::int32_t>(values.begin(), values.end()));
}

TEST(Idx, AnEmptyArrayIsFine) {
  const Folder folder;
  write_plain(folder.path("a"), idx_header(0x08, {0, 28, 28}));
  const IdxArray array = read_idx(folder.path("a"));
  EXPECT_EQ(array.to_tensor().shape(), (Shape{0, 28, 28}));
}

TEST(IdxErrors, MissingFileAndFolder) {
  const Folder folder;
  EXPECT_TRUE(has_words(read_error(folder.path("nothing")), {folder.path("nothing"), "No such file"}));
  EXPECT_TRUE(has_words(read_error(folder.path()), {"is a directory"}));
}

struct BadFile {
  const char* what;
  Bytes bytes;
  std::vector<const char*> words;
};

TEST(IdxErrors, NameFileOffsetAndWhatIsAllowed) {
  Bytes trailing = idx_bytes<std::uint8_t, std::uint8_t>(0x08, {2}, {1, 2});
  trailing.push_back(3);
  const std::vector<BadFile> files{
      {"empty", {}, {"offset 0", "after 0 of the 4 bytes of the magic number"}},
      {"half a magic", {0, 0}, {"offset 0", "after 2 of the 4 bytes"}},
      {"not idx", {0x89, 'P', 'N', 'G', 1, 2, 3, 4}, {"offset 0", "0x89 0x50", "two zero bytes"}},
      {"unknown type", {0, 0, 0x0A, 1, 0, 0, 0, 1, 5}, {"offset 2", "0x0a", "0x08 uint8", "0x0e float64"}},
      {"no dimensions", {0, 0, 8, 0, 1}, {"offset 3", "0 dimensions", "1 to 8"}},
      {"many dimensions", idx_header(8, std::vector<std::uint32_t>(9, 1)), {"offset 3", "9 dimensions", "1 to 8"}},
      {"half a size", {0, 0, 8, 2, 0, 0, 0, 1, 0, 0}, {"offset 8", "after 2 of the 4 bytes", "dimension 1"}},
      {"negative size", idx_header(8, {0xFFFFFFFF}), {"offset 4", "4294967295", "0 to 2147483647"}},
      {"more than 2^63 bytes", idx_header(8, {2147483647, 2147483647, 2147483647}), {"offset 4", "2^63"}},
      {"implausible", idx_header(0x0E, {2147483647, 1000000}), {"17179869176000000 bytes", "offset 12", "holds 0", "truncated"}},
      {"truncated", idx_bytes<std::uint8_t, std::uint8_t>(0x08, {4}, {1, 2, 3}), {"4 bytes from offset 8", "holds 3", "truncated"}},
      {"trailing", trailing, {"2 bytes from offset 8", "holds 3", "something else follows"}},
  };
  const Folder folder;
  for (const BadFile& file : files) {
    SCOPED_TRACE(file.what);
    write_plain(folder.path("a"), file.bytes);
    const std::string message = read_error(folder.path("a"));
    EXPECT_TRUE(has_words(message, {"idx: " + folder.path("a")}));
    for (const char* const words : file.words) EXPECT_TRUE(has_words(message, {words}));
  }
}

TEST(IdxErrors, GzipContentsAreCheckedToo) {
  const Folder folder;
  const std::string path = folder.path("a.gz");
  write_gzip(path, idx_bytes<std::uint8_t, std::uint8_t>(0x08, {4}, {1, 2, 3}));
  EXPECT_TRUE(has_words(read_error(path), {"4 bytes from offset 8", "end at offset 11", "truncated"}));
  write_gzip(path, idx_bytes<std::uint8_t, std::uint8_t>(0x08, {2}, {1, 2, 3}));
  EXPECT_TRUE(has_words(read_error(path), {"offset 10", "go on after the 2 bytes"}));
  write_gzip(path, idx_header(0x08, {2147483647, 2147483647}));
  EXPECT_TRUE(has_words(read_error(path), {"offset 4", "can hold at most"}));
}

TEST(IdxErrors, DamagedGzipIsNoticed) {
  const Folder folder;
  std::vector<std::uint8_t> values(1000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i * i / 3);
  write_gzip(folder.path("good.gz"), idx_bytes<std::uint8_t>(0x08, {1000}, values));
  Bytes bytes = read_all(folder.path("good.gz"));
  bytes[bytes.size() - 6] ^= 1;  // in the checksum
  write_plain(folder.path("bad.gz"), bytes);
  EXPECT_TRUE(has_words(read_error(folder.path("bad.gz")), {folder.path("bad.gz"), "cannot read"}));
}

/// A file cut anywhere is an error, never a crash and never half an array.
void expect_error_at_every_length(void (*write)(const std::string&, const Bytes&)) {
  const Folder folder;
  write(folder.path("whole"), idx_bytes<std::uint16_t, std::int16_t>(0x0B, {3, 5}, std::vector<std::int16_t>(15, -300)));
  const Bytes whole = read_all(folder.path("whole"));
  ASSERT_EQ(read_error(folder.path("whole")), "");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    SCOPED_TRACE(length);
    write_plain(folder.path("cut"), Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    EXPECT_TRUE(has_words(read_error(folder.path("cut")), {folder.path("cut")}));
  }
}

TEST(IdxErrors, EveryTruncationOfAPlainFile) { expect_error_at_every_length(write_plain); }
TEST(IdxErrors, EveryTruncationOfAGzipFile) { expect_error_at_every_length(write_gzip); }

TEST(IdxErrors, NoByteOfTheHeaderCanCrash) {
  const Folder folder;
  const Bytes good = idx_bytes<std::uint32_t, std::int32_t>(0x0C, {2, 3}, {1, 2, 3, 4, 5, 6});
  for (std::size_t at = 0; at < 12; ++at)
    for (const int value : {0, 1, 2, 3, 7, 8, 9, 0x0D, 0x0E, 0x1F, 0x7F, 0x80, 0xFF}) {
      Bytes bytes = good;
      bytes[at] = static_cast<unsigned char>(value);
      write_plain(folder.path("a"), bytes);
      const std::string message = read_error(folder.path("a"));
      if (bytes == good) {
        EXPECT_EQ(message, "");
      } else if (at != 2) {  // float32 has the size of int32, so one other type is fine
        EXPECT_NE(message, "") << "byte " << at << " = " << value;
      }
    }
}

}  // namespace
}  // namespace luge
