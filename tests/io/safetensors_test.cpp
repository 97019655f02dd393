// Safetensors files: round trips, the bytes of the format, and everything that a file may have wrong.

#include <cstring>
#include <limits>
#include <string>
#include <thread>

#include <sys/stat.h>

#include <luge/luge.h>

#include "devices.h"
#include "folder.h"
#include "has_words.h"
#include "train/messages.h"

namespace luge::test {
namespace {

using namespace std::string_literals;

class SafetensorsTest : public DeviceTest {};
LUGE_ON_EVERY_DEVICE(SafetensorsTest);

std::string file_of(std::string_view header, std::string_view data = {}) {
  const std::uint64_t length = header.size();
  std::string text(reinterpret_cast<const char*>(&length), sizeof length);
  return text.append(header).append(data);
}

/// All bits, in row-major order.
std::string bits_of(const Tensor& tensor) {
  const Tensor packed = tensor.detach().to(Device::cpu()).contiguous();
  return {static_cast<const char*>(packed.data()), static_cast<std::size_t>(packed.numel()) * size_of(packed.dtype())};
}

void expect_same_bits(const Tensor& actual, const Tensor& expected) {
  EXPECT_EQ(actual.dtype(), expected.dtype());
  EXPECT_EQ(actual.shape(), expected.shape());
  EXPECT_TRUE(bits_of(actual) == bits_of(expected)) << name(expected.dtype());
}

TEST_P(SafetensorsTest, GivesBackEveryDTypeAndShape) {
  const Folder folder;
  std::map<std::string, Tensor> tensors;
  for (int i = 0; i < kDTypeCount; ++i) {
    const auto dtype = static_cast<DType>(i);
    const std::string prefix(name(dtype));
    const Tensor values = (randn({3, 4, 5}) * 50).to(dtype).to(device());
    tensors[prefix] = values;
    tensors[prefix + ".transposed"] = values.transpose(0, 2);
    tensors[prefix + ".step"] = values.slice(2, 1, {}, 2);
    tensors[prefix + ".expanded"] = values[0][0].unsqueeze(1).expand({5, 3});
    tensors[prefix + ".scalar"] = values[1][2][3];
    tensors[prefix + ".empty"] = values.slice(0, 0, 0);
  }
  tensors["nan"] =
      tensor({std::numeric_limits<double>::quiet_NaN(), -0.0, std::numeric_limits<double>::infinity()}, on());
  tensors["leaf"] = ones({2}, on(float32, true));
  const Metadata metadata{{"format", "pt"}, {"caf\u00e9 \"quoted\" \n", "\t\u0001 \\ text"}};
  save_file(tensors, folder.path("all.safetensors"), metadata);
  const std::map<std::string, Tensor> loaded = load_file(folder.path("all.safetensors"), device());
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    SCOPED_TRACE(name);
    expect_same_bits(loaded.at(name), tensor);
    EXPECT_EQ(loaded.at(name).device(), device());
    EXPECT_FALSE(loaded.at(name).requires_grad());
  }
  EXPECT_EQ(SafetensorsFile(folder.path("all.safetensors")).metadata(), metadata);
}

TEST_P(SafetensorsTest, WritesTheBytesOfTheFormat) {
  const Folder folder;
  save_file({{"b", tensor({1, 2}, on(uint8))}, {"a", tensor({1}, on(float32))}, {"c", tensor({-1}, on(int64))}},
            folder.path("x"), {{"key", "value"}});
  const std::string header =
      R"({"__metadata__":{"key":"value"},"c":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"b":{"dtype":"U8","shape":[2],"data_offsets":[12,14]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(text_of(folder.path("x")),
            file_of(padded, std::string("\xff\xff\xff\xff\xff\xff\xff\xff\0\0\x80\x3f\1\2", 14)));
  save_file({}, folder.path("none"));
  EXPECT_EQ(text_of(folder.path("none")), file_of("{}      "));
  EXPECT_TRUE(load_file(folder.path("none")).empty());
}

TEST(Safetensors, ReadsPartsWithoutTheRest) {
  const Folder folder;
  const Tensor values = arange(24, {.dtype = float32}).reshape({4, 6});
  save_file({{"x", values}, {"y", values.gt(3)}}, folder.path("x"));
  const SafetensorsFile file(folder.path("x"));
  EXPECT_TRUE(file.contains("x"));
  EXPECT_FALSE(file.contains("z"));
  EXPECT_EQ(file["x"].dtype, "F32");
  EXPECT_EQ(file["x"].shape, (std::vector<std::int64_t>{4, 6}));
  EXPECT_EQ(file.offset_names(), (std::vector<std::string>{"x", "y"}));
  expect_same_bits(file.view("x").slice(0, 1, 3).slice(1, 0, {}, 2).clone(), values.slice(0, 1, 3).slice(1, 0, {}, 2));
  EXPECT_EQ(file.view("y").dtype(), uint8);
  expect_same_bits(file.view("y").ne(0), values.gt(3));
  EXPECT_TRUE(has_words(message_of<IndexError>([&] { file.tensor("z"); }), {"'z'", "there are 2: 'x', 'y'"}));
  Tensor view;
  {
    const SafetensorsFile other(folder.path("x"));
    view = other.view("x");
  }
  expect_same_bits(view.clone(), values);  // it keeps the file open
}

TEST(Safetensors, ReadsWhatIsNotAligned) {
  const Folder folder;
  write_text(
      folder.path("x"),
      file_of(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
          std::string("\x07\0\0\x80\x3f", 5)));
  EXPECT_EQ(load_file(folder.path("x")).at("b").item(), 1.0);
  EXPECT_EQ(SafetensorsFile(folder.path("x")).view("b").item(), 1.0);
}

TEST(Safetensors, BoolsAreZeroOrOneWhateverTheFileHolds) {
  const Folder folder;
  write_text(folder.path("x"),
             file_of(R"({"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})", std::string("\0\x02\xff", 3)));
  EXPECT_EQ(load_file(folder.path("x")).at("a").to_vector<std::int32_t>(), (std::vector<std::int32_t>{0, 1, 1}));
}

TEST(Safetensors, NamesDTypesAndShapesThatLugeHasNot) {
  const Folder folder;
  write_text(
      folder.path("x"),
      file_of(
          R"({"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"F4","shape":[2],"data_offsets":[2,3]},)"
          R"("c":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[3,4]}})",
          "abcd"));
  const SafetensorsFile file(folder.path("x"));
  EXPECT_EQ(file["b"].dtype, "F4");
  EXPECT_MESSAGE(DTypeError, "SafetensorsFile: tensor 'a' is F8_E4M3, which luge has no dtype for", file.tensor("a"));
  EXPECT_MESSAGE(ShapeError, "SafetensorsFile: tensor 'c' has 9 dimensions; allowed are 8", file.tensor("c"));
  EXPECT_MESSAGE(DTypeError, "load_file: tensor 'a' is F8_E4M3, which luge has no dtype for",
                 load_file(folder.path("x")));
}

TEST(Safetensors, RefusesFilesThatAreNotWhatTheySay) {
  const Folder folder;
  const std::string good = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  const struct {
    std::string text;
    const char* what;
  } cases[] = {
      {"", "it has 0 bytes, fewer than the length of a header"},
      {"1234567", "it has 7 bytes"},
      {std::string(8, '\xff'), "its header has 18446744073709551615 bytes; allowed are 100000000"},
      {file_of("{}").substr(0, 9), "its header has 2 bytes and 1 are there"},
      {file_of(""), "does not begin with '{'"},
      {file_of(" {}"), "does not begin with '{'"},
      {file_of("[]"), "does not begin with '{'"},
      {file_of("{"), "no JSON from byte"},
      {file_of("{} x"), "no JSON from byte"},
      {file_of("{\"\xff\":1}"), "no JSON from byte"},
      {file_of(R"({"a":1})"), "'a' is a number; it must be an object"},
      {file_of(R"({"a":null})"), "'a' is null; it must be an object"},
      {file_of(R"({"a":[]})"), "'a' is a list; it must be an object"},
      {file_of(R"({"a":{}})"), "tensor 'a' has no dtype"},
      {file_of(R"({"a":{"dtype":"U8"}})"), "tensor 'a' has no shape"},
      {file_of(R"({"a":{"dtype":"U8","shape":[]}})"), "tensor 'a' has no two data_offsets"},
      {file_of(R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0]}})"), "tensor 'a' has no two data_offsets"},
      {file_of(R"({"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,2]}})"), "more than two numbers"},
      {file_of(R"({"a":{"dtype":"U8","shape":[],"data_offsets":[1,0]}})"), "data_offsets of tensor 'a' are 1 and 0"},
      {file_of(R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})"),
       "the shape of 'a' is or holds a negative number"},
      {file_of(R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})"), "holds the number 1.0"},
      {file_of(R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,1]}})"),
       "has the size 18446744073709551615"},
      {file_of(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
       "larger than 2^64 bits"},
      {file_of(R"({"a":{"dtype":"U8","shape":{},"data_offsets":[0,1]}})"), "the shape of 'a' is or holds an object"},
      {file_of(R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})"), "the shape of 'a' is or holds a list"},
      {file_of(R"({"a":{"dtype":["U8"],"shape":[1],"data_offsets":[0,1]}})"), "the dtype of 'a' is or holds a list"},
      {file_of(R"({"a":{"dtype":"u8","shape":[1],"data_offsets":[0,1]}})", "x"),
       "has the dtype 'u8', which the format does not know"},
      {file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}})", "x"),
       "tensor 'a' has 1 bytes; its dtype and shape take 16 bits"},
      {file_of(R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", "xx"), "take 12 bits"},
      {file_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "xx"),
       "the dtype of tensor 'a' is given twice"},
      {file_of(R"({"a":{"dtype":"U8","shape":[2],"shape":[2],"data_offsets":[0,2]}})", "xx"),
       "the shape of tensor 'a' is given twice"},
      {file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"strides":[1]}})", "xx"),
       "tensor 'a' has a 'strides'"},
      {file_of("{" + good.substr(1, good.size() - 2) + "," + good.substr(1), "xx"), "'a' is given twice"},
      {file_of(R"({"__metadata__":{"a":1}})"), "is or holds a number"},
      {file_of(R"({"__metadata__":{"a":{}}})"), "is or holds an object"},
      {file_of(R"({"__metadata__":[]})"), "is a list; it must be an object"},
      {file_of(R"({"__metadata__":{"a":"1","a":"2"}})"), "the metadata 'a' is given twice"},
      {file_of(R"({"__metadata__":{},"__metadata__":{}})"), "'__metadata__' is given twice"},
      {file_of(good, "x"), "its tensors take 2 bytes and 1 bytes of data are there"},
      {file_of(good, "xxx"), "its tensors take 2 bytes and 3 bytes of data are there"},
      {file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "xx"),
       "begins at byte 1 of the data and the one before it ends at 0"},
      {file_of(
           R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
           "xxx"),
       "'b' begins at byte 2"},
      {file_of(
           R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
           "xxx"),
       "'b' begins at byte 1"},
  };
  for (const auto& [text, what] : cases) {
    write_text(folder.path("bad"), text);
    EXPECT_TRUE(has_words(message_of<IoError>([&] { load_file(folder.path("bad")); }),
                          {"load_file: '", "no valid safetensors file", what}))
        << text;
  }
  std::string deep = R"({"a":)" + std::string(100'000, '[');
  write_text(folder.path("bad"), file_of(deep));
  EXPECT_TRUE(has_words(message_of<IoError>([&] { load_file(folder.path("bad")); }), {"'a' is a list"}));
}

TEST(Safetensors, AFileThatIsCutAnywhereIsRefused) {
  const Folder folder;
  save_file({{"a", randn({3})}, {"b", ones({2}, {.dtype = int8})}}, folder.path("x"), {{"k", "v"}});
  const std::string whole = text_of(folder.path("x"));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write_text(folder.path("cut"), whole.substr(0, length));
    EXPECT_THROW(load_file(folder.path("cut")), IoError) << length;
  }
  write_text(folder.path("cut"), whole + "x");
  EXPECT_THROW(load_file(folder.path("cut")), IoError);
}

TEST(Safetensors, SaysWhyAPathCannotBeUsed) {
  const Folder folder;
  const auto fault = [](auto&& body) { return message_of<IoError>(body); };
  EXPECT_TRUE(has_words(fault([&] { load_file(folder.path("absent")); }),
                        {"load_file: cannot read '", "absent': No such file"}));
  EXPECT_TRUE(has_words(fault([&] { load_file(folder.path("")); }), {"it is a folder"}));
  EXPECT_TRUE(has_words(fault([] { load_file("/dev/null"); }), {"it is no regular file"}));
  EXPECT_TRUE(
      has_words(fault([&] { save_file({}, folder.path("absent/x")); }), {"save_file: cannot write '", "No such file"}));
  EXPECT_TRUE(has_words(fault([&] { save_file({}, folder.path("")); }), {"it is a folder"}));
  EXPECT_TRUE(has_words(fault([] { save_file({}, ""); }), {"the path is empty"}));
  EXPECT_TRUE(has_words(fault([] { save_file({}, "/dev/null"); }), {"it is no regular file"}));
  EXPECT_MESSAGE(ValueError, "save_file: tensor 'a' is undefined", save_file({{"a", Tensor()}}, folder.path("x")));
  EXPECT_TRUE(has_words(message_of<ValueError>([&] {
                          save_file({{"__metadata__", ones({1})}}, folder.path("x"));
                        }),
                        {"'__metadata__'"}));
  EXPECT_TRUE(has_words(message_of<ValueError>([&] {
                          save_file({{"\xff", ones({1})}}, folder.path("x"));
                        }),
                        {"no UTF-8"}));
  EXPECT_TRUE(has_words(message_of<ValueError>([&] {
                          save_file({}, folder.path("x"), {{"a", "\xc3"}});
                        }),
                        {"no UTF-8"}));
  EXPECT_EQ(folder.files(), 0);
}

TEST(Safetensors, AFileIsReplacedInOneStepAndKeepsItsPermissions) {
  const Folder folder;
  save_file({{"a", zeros({2})}}, folder.path("x"));
  chmod((folder.path("x")).c_str(), 0640);
  std::filesystem::create_symlink("x", folder.path("link"));
  const SafetensorsFile before(folder.path("x"));
  save_file({{"a", ones({2})}}, folder.path("link"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder.path("link")));
  EXPECT_EQ(load_file(folder.path("x")).at("a").sum().item(), 2);
  EXPECT_EQ(before.tensor("a").sum().item(), 0);  // what was open is the old one
  struct stat status;
  ASSERT_EQ(stat((folder.path("x")).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640U);
  // What a killed process has left goes with the next file of that name; others stay.
  write_text(folder.path(".x.partial-1-1"), "half");
  write_text(folder.path(".y.partial-1-1"), "half");
  save_file({{"a", ones({2})}}, folder.path("x"));
  EXPECT_FALSE(std::filesystem::exists(folder.path(".x.partial-1-1")));
  EXPECT_TRUE(std::filesystem::exists(folder.path(".y.partial-1-1")));
}

TEST(Safetensors, ALinkToNothingIsFollowed) {
  const Folder folder;
  std::filesystem::create_directory(folder.path("there"));
  std::filesystem::create_symlink("there/second", folder.path("first"));
  std::filesystem::create_symlink("file", folder.path("there/second"));
  save_file({{"a", ones({2})}}, folder.path("first"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder.path("first")));
  EXPECT_TRUE(std::filesystem::is_regular_file(folder.path("there/file")));
  EXPECT_EQ(load_file(folder.path("first")).at("a").sum().item(), 2);
  std::filesystem::create_symlink("absent/file", folder.path("nowhere"));
  std::filesystem::create_symlink("circle", folder.path("circle"));
  EXPECT_TRUE(has_words(message_of<IoError>([&] { save_file({}, folder.path("nowhere")); }),
                        {"save_file: cannot write '", "absent/file': No such file"}));
  EXPECT_TRUE(has_words(message_of<IoError>([&] { save_file({}, folder.path("circle")); }),
                        {"save_file: cannot write '", "circle': Too many levels of symbolic links"}));
  EXPECT_EQ(folder.files(), 4);
}

TEST(Safetensors, LongNamesAndZeroBytes) {
  const Folder folder;
  for (const std::size_t length : {100U, 101U, 230U, 255U}) {
    const std::string name(length, 'n');
    save_file({{"a", ones({2})}}, folder.path(name));
    EXPECT_EQ(load_file(folder.path(name)).at("a").sum().item(), 2) << length;
  }
  EXPECT_EQ(folder.files(), 4);
  EXPECT_TRUE(has_words(message_of<IoError>([&] { save_file({}, folder.path(std::string(256, 'n'))); }),
                        {"save_file: cannot write '", "File name too long"}));
  EXPECT_TRUE(has_words(message_of<IoError>([&] { save_file({}, folder.path("a\0b"s)); }),
                        {"save_file: cannot write '", "a...': the path holds a zero byte"}));
  EXPECT_TRUE(has_words(message_of<IoError>([&] { load_file(folder.path("a\0b"s)); }),
                        {"load_file: cannot read '", "a...': the path holds a zero byte"}));
  EXPECT_EQ(folder.files(), 4);
}

TEST(Safetensors, ThreadsSaveTheSameFileAtOnce) {
  const Folder folder;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int n = 0; n < 25; ++n) save_file({{"a", full({1000}, i)}}, folder.path("x"));
    });
  for (std::thread& thread : threads) thread.join();
  const Tensor left = load_file(folder.path("x")).at("a");
  EXPECT_TRUE(left.eq(left[0]).all().item<bool>());
  EXPECT_EQ(folder.files(), 1);
}

TEST_P(SafetensorsTest, IsRefusedWhileAStepIsCaptured) {
  const Folder folder;
  const Tensor x = ones({2}, on());
  save_file({{"x", x}}, folder.path("x"));
  EXPECT_THROW(capture([&] { save_file({{"x", x}}, folder.path("y")); })(), CaptureError);
  EXPECT_THROW(capture([&] { load_file(folder.path("x"), device()); })(), CaptureError);
  EXPECT_FALSE(std::filesystem::exists(folder.path("y")));
}

}  // namespace
}  // namespace luge::test
