#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <luge/luge.h>

#include "data/idx_files.h"
#include "devices.h"
#include "expect.h"
#include "io/npy_files.h"

namespace luge {
namespace {

using namespace luge::test;

class Npy : public DeviceTest {
 protected:
  Tensor numbers(const Shape& shape, DType dtype) const {
    const std::int64_t n = element_count(shape);
    const Tensor whole = arange(-1, n - 1, 1, {.dtype = dtype == uint8 ? int32 : float32});
    return whole.reshape(shape).to(dtype).to(device());
  }
  std::string path() const { return folder_.path("a.npy"); }
  Tensor back(bool mmap = false) const { return load_npy(path(), device(), mmap); }

  Folder folder_;
};
LUGE_ON_EVERY_DEVICE(Npy);

TEST_P(Npy, KeepsEveryDTypeAndShape) {
  for (const DType dtype : kNpyDTypes)
    for (const Shape& shape :
         {Shape{}, Shape{0}, Shape{3, 0, 2}, Shape{1}, Shape{7}, Shape{2, 3}, Shape{1, 2, 1, 3, 1, 1, 2, 1}}) {
      SCOPED_TRACE(fmt::format("{} {}", name(dtype), to_string(shape)));
      const Tensor x = numbers(shape, dtype);
      save_npy(path(), x);
      const Tensor loaded = back();
      EXPECT_TRUE(same(loaded, x));
      EXPECT_EQ(loaded.device(), device());
      EXPECT_TRUE(loaded.is_contiguous());
    }
}

TEST_P(Npy, KeepsEveryBit) {
  const std::vector<std::int64_t> integers{INT64_MIN, INT64_MAX, -1, (std::int64_t{1} << 53) + 1};
  save_npy(path(), from_host(integers, {4}, device()));
  EXPECT_EQ(back().to_vector<std::int64_t>(), integers);
  const std::vector<std::uint64_t> bits{0x7FF0'0000'0000'0001, 0x8000'0000'0000'0000, 1, 0xFFF8'0000'0000'BEEF};
  std::vector<double> values(4);
  std::memcpy(values.data(), bits.data(), 32);
  save_npy(path(), from_host(values, {4}, device()));
  const auto loaded = back().to_vector<double>();
  EXPECT_EQ(std::memcmp(loaded.data(), bits.data(), 32), 0);
}

TEST_P(Npy, WritesNonContiguousTensorsAsTheyShow) {
  const Tensor x = numbers({4, 6}, float32);
  for (const Tensor& view : {x.slice(0, 1, 4, 2), x.slice(1, 0, 6, 4), x.select(1, 2), x.slice(1, 2, 5).t(),
                             x.select(0, 1).expand({3, 6}), x.reshape({2, 2, 6}).permute({1, 0, 2})}) {
    SCOPED_TRACE(to_string(view.strides()));
    save_npy(path(), view);
    const Tensor loaded = back();
    EXPECT_TRUE(same(loaded, view));
    EXPECT_TRUE(loaded.is_contiguous());
  }
}

TEST_P(Npy, KeepsFortranOrder) {
  for (const Tensor& view : {numbers({3, 4}, int16).t(), numbers({2, 3, 4}, float64).permute({2, 1, 0})}) {
    save_npy(path(), view);
    EXPECT_NE(text_of(path()).find("'fortran_order': True"), std::string::npos);
    for (const bool mmap : {false, true}) {
      if (mmap && !device().is_cpu()) continue;
      const Tensor loaded = back(mmap);
      EXPECT_TRUE(same(loaded, view));
      EXPECT_EQ(loaded.strides(), view.strides());
    }
  }
  for (const Tensor& both : {numbers({1, 5}, float32).t(), zeros({2, 0, 3}, on()).transpose(0, 2)}) {  // C, as by NumPy
    save_npy(path(), both);
    EXPECT_NE(text_of(path()).find("'fortran_order': False"), std::string::npos);
  }
}

TEST_P(Npy, MovesLargeArraysInPieces) {
  const Tensor x = numbers({3, 500'001}, float64);  // more than two pieces, the last one odd
  save_npy(path(), x);
  EXPECT_TRUE(same(back(), x));
  std::string file = text_of(path());
  file.replace(file.find("<f8"), 3, ">f8");
  for (std::size_t i = file.size() - 12'000'024; i < file.size(); i += 8) std::reverse(&file[i], &file[i] + 8);
  write_text(path(), file);
  EXPECT_TRUE(same(back(), x));
}

TEST_P(Npy, ReadsValuesOutsideTheGraph) {
  Tensor x = numbers({3}, float32).requires_grad_();
  save_npy(path(), x * 2);
  EXPECT_FALSE(back().requires_grad());
  EXPECT_TRUE(same(back(), (x * 2).detach()));
}

TEST_P(Npy, IsRefusedWhileAStepIsCaptured) {
  const Tensor x = numbers({3}, float32);
  save_npy(path(), x);
  expect_errors(
      {LUGE_ERROR(CaptureError, "save_npy.*reads a value on the host", capture([&] { save_npy(path(), x); })()),
       LUGE_ERROR(CaptureError, "load_npy.*brings values", capture([&] { back(); })())});
  EXPECT_TRUE(same(back(), x));
}

// ---- the bytes

TEST(NpyFile, IsWhatNumPyWrites) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  save_npy(path, tensor({{1, 2, 3}, {4, 5, 6}}));
  std::string expected = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  expected.resize(117, ' ');
  const float values[] = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(text_of(path), std::string("\x93NUMPY\x01\x00\x76\x00", 10) + expected + "\n" +
                               std::string(reinterpret_cast<const char*>(values), 24));
}

TEST(NpyFile, IsReadInEveryVersionAndByteOrder) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  for (const int version : {1, 2, 3})
    for (const auto& [code, dtype, bytes] : std::vector<std::tuple<std::string, DType, std::string>>{
             {">i2", int16, std::string("\x01\x02\xFF\xFE", 4)},
             {"<i2", int16, std::string("\x02\x01\xFE\xFF", 4)},
             {"=i2", int16, std::string("\x02\x01\xFE\xFF", 4)},
             {">i4", int32, std::string("\0\0\x01\x02\xFF\xFF\xFF\xFE", 8)},
             {">i8", int64, std::string("\0\0\0\0\0\0\x01\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE", 16)},
             {">f2", float16, std::string("\x5C\x08\xC0\x00", 4)},
             {">f4", float32, std::string("\x43\x81\0\0\xC0\0\0\0", 8)},
             {">f8", float64, std::string("\x40\x70\x20\0\0\0\0\0\xC0\0\0\0\0\0\0\0", 16)}}) {
      SCOPED_TRACE(fmt::format("{} {}", version, code));
      write_text(path, npy_file(npy_header(code, "False", "(2,)"), bytes, version));
      EXPECT_TRUE(has_values(load_npy(path), {2}, dtype, {258, -2}));
    }
  for (const char* const code : {"|b1", "<b1", ">b1", "=b1"}) {
    write_text(path, npy_file(npy_header(code, "False", "(4,)"), std::string("\0\x01\x02\xFF", 4)));
    const Tensor loaded = load_npy(path);
    EXPECT_TRUE(has_values(loaded, {4}, boolean, {0, 1, 1, 1}));
    for (int i = 0; i < 4; ++i) EXPECT_LE(static_cast<unsigned char*>(loaded.data())[i], 1);
  }
}

TEST(NpyFile, AcceptsWhatPythonWouldWrite) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  for (const char* const header :
       {"{'descr': '|i1', 'fortran_order': False, 'shape': (2, 1), }\n",
        "{'shape':(2,1),'fortran_order':False,'descr':'|i1'}",
        " {\n \"fortran_order\" : False ,\t'shape' : ( 2L , 1L , ) ,\n 'descr' : \"|i1\" , } \n\n",
        "{'descr': '<i1', 'shape': (2, 1), 'fortran_order': False}"}) {
    write_text(path, npy_file(header, "\x05\xFA"));
    EXPECT_TRUE(has_values(load_npy(path), {2, 1}, int8, {5, -6})) << header;
  }
  write_text(path, npy_file("{'descr': '|i1', 'fortran_order': True, 'shape': (), }", "\x05"));
  EXPECT_TRUE(has_values(load_npy(path), {}, int8, {5}));
}

TEST(NpyFile, RefusesEveryOtherHeader) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  struct Row {
    const char *header, *pattern;
  };
  for (const auto& [header, pattern] : std::vector<Row>{
           {"", "expected '\\{', found the header's end"},
           {"   \n", "expected '\\{'"},
           {"[]", "expected '\\{', found '\\['"},
           {"{}", "without the key 'descr'"},
           {"{,}", "expected a key"},
           {"{'descr': '|i1', 'fortran_order': False}", "without the key 'shape'"},
           {"{'shape': (1,), 'fortran_order': False}", "without the key 'descr'"},
           {"{'shape': (1,), 'descr': '|i1'}", "without the key 'fortran_order'"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1,)", "expected '\\}', found the header's end"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1,", "expected a size"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1", "expected ',', without which it is no tuple"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1)}", "expected ',', without which it is no tuple"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': 1}", "expected '\\(', found '1'"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': [1]}", "expected '\\('"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (-1,)}", "expected a size.*found '-'"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (,)}", "expected a size"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1,,)}", "expected a size"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1 1)}", "found '1'"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1, 1]}", "expected '\\)'"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1.0,)}", "found '\\.'"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (01,)}", "begins with 0"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (0x1,)}", "found 'x'"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1LL,)}", "found 'L'"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1_0,)}", "found '_'"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (9223372036854775808,)}", "allowed are 0 to 2\\^63 - 1"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (True,)}", "expected a size"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': None}", "expected '\\('"},
           {"{'descr': '|i1', 'fortran_order': 0, 'shape': (1,)}", "expected True or False, found '0'"},
           {"{'descr': '|i1', 'fortran_order': false, 'shape': (1,)}", "expected True or False"},
           {"{'descr': '|i1', 'fortran_order': Falsehood, 'shape': (1,)}", "expected '\\}', found 'h'"},
           {"{'descr': '|i1', 'fortran_order': 'False', 'shape': (1,)}", "expected True or False"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1,), 'shape': (1,)}", "the key 'shape' a second time"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1,), 'extra': 1}", "the key 'extra'; the keys are"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1,)} x", "' ?x' follows the header"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1,)}{", "'\\{' follows"},
           {"{'descr': '|i1' 'fortran_order': False, 'shape': (1,)}", "expected '\\}'"},
           {"{'descr' '|i1', 'fortran_order': False, 'shape': (1,)}", "expected ':'"},
           {"{descr: '|i1', 'fortran_order': False, 'shape': (1,)}", "expected a key, which is a string, found 'd'"},
           {"{'descr: '|i1', 'fortran_order': False, 'shape': (1,)}", "the key 'descr: '"},
           {"{'descr': '|i1, \n'fortran_order': False, 'shape': (1,)}", "a string without its end"},
           {"{'descr': '|\\x691', 'fortran_order': False, 'shape': (1,)}", "with escapes"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1,), 'a", "a string without its end"},
           {"{'descr': b'|i1', 'fortran_order': False, 'shape': (1,)}",
            "expected a dtype, which is a string, found 'b'"},
           {"{'descr': None, 'fortran_order': False, 'shape': (1,)}", "expected a dtype"},
           {"{'descr': '|i1', # a comment\n'fortran_order': False, 'shape': (1,)}", "found '#'"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (1,)}\xC3\xA9\n", "'\\\\xc3\\\\xa9\\\\x0a' follows"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (2,)}",
            "asks for 2 bytes.*there are 1, the file is truncated"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (0,)}", "asks for 0 bytes.*something else follows"},
           {"{'descr': '<i8', 'fortran_order': False, 'shape': (1152921504606846976,)}", "more than 2\\^63 - 1 bytes"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
            "more than 2\\^63 - 1 bytes"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296)}",
            "more than 2\\^63 - 1 bytes"},
           {"{'descr': '|i1', 'fortran_order': False, 'shape': (9223372036854775807,)}", "truncated"}}) {
    write_text(path, npy_file(header, "\x05"));
    expect_errors({LUGE_ERROR(IoError, "^load_npy: '.*a\\.npy': ", load_npy(path)),
                   LUGE_ERROR(IoError, pattern, load_npy(path))});
    if (HasFailure()) FAIL() << header;
  }
  write_text(path, npy_file(npy_header("|i1", "False", "(1L,)"), "\x05", 3));
  expect_errors({LUGE_ERROR(IoError, "found 'L'", load_npy(path))});
  write_text(path, npy_file(npy_header("|i1", "False", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), "\x05"));
  expect_errors(
      {LUGE_ERROR(ShapeError, "^load_npy: '.*a\\.npy': the array has more than 8 dimensions", load_npy(path))});
}

TEST(NpyFile, RefusesOtherDTypes) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  for (const auto& [code, why] :
       std::vector<std::pair<std::string, std::string>>{{"'<u2'", "luge has not"},
                                                        {"'<u4'", "luge has not"},
                                                        {"'>u8'", "luge has not"},
                                                        {"'<c8'", "complex"},
                                                        {"'<c16'", "complex"},
                                                        {"'<f16'", "'<f16'"},
                                                        {"'|S5'", "'\\|S5'"},
                                                        {"'<U5'", "'<U5'"},
                                                        {"'<M8[ns]'", "M8\\[ns\\]"},
                                                        {"'<m8'", "m8"},
                                                        {"'|O'", "pickles; luge reads none"},
                                                        {"'<V2'", "ml_dtypes writes bfloat16"},
                                                        {"'|V2'", "bfloat16"},
                                                        {"'|V16'", "V16"},
                                                        {"''", "''"},
                                                        {"'<'", "'<'"},
                                                        {"'f4'", "'f4'"},
                                                        {"'|f4'", "'\\|f4'"},
                                                        {"'float32'", "float32"},
                                                        {"'<f4 '", "'<f4 '"},
                                                        {"'<b2'", "'<b2'"},
                                                        {"'<\xFF'", "xff"},
                                                        {"[('a', '<f4'), ('b', '|i1')]", "structured"},
                                                        {"('<f4', (2,))", "structured"}}) {
    write_text(path, npy_file("{'descr': " + code + ", 'fortran_order': False, 'shape': (1,)}", "\x05\0\0\0"));
    expect_errors(
        {LUGE_ERROR(DTypeError, "^load_npy: '.*a\\.npy': the array is of dtype .*; allowed are", load_npy(path)),
         LUGE_ERROR(DTypeError, why.c_str(), load_npy(path))});
    if (HasFailure()) FAIL() << code;
  }
}

TEST(NpyFile, RefusesWhatIsNoNpyFile) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  const std::string good = npy_file(npy_header("|i1", "False", "(1,)"), "\x05");
  const auto expect = [&](const std::string& file, const char* pattern) {
    write_text(path, file);
    expect_errors({LUGE_ERROR(IoError, pattern, load_npy(path))});
  };
  expect("", "offset 0: the file of 0 bytes ends within the magic bytes");
  expect("PK\3\4 and so on, long enough", "offset 0: the file begins with 'PK\\\\x03\\\\x04 a'");
  for (const auto& [major, minor] : {std::pair{0, 0}, {4, 0}, {1, 1}, {255, 0}}) {
    std::string other = good;
    other[6] = static_cast<char>(major), other[7] = static_cast<char>(minor);
    expect(other, "offset 6: the version is .*; allowed are 1.0, 2.0 and 3.0");
  }
  std::string other = good;
  other[9] = 1;
  expect(other, "ends within the header of 3");
  other[9] = '\x7F';
  expect(other, "offset 8: the header has .* bytes; allowed are 10000");
  expect(npy_file(npy_header("|i1", "False", "(1,)") + std::string(10000, ' '), "\x05", 2), "allowed are 10000");
  expect_errors({LUGE_ERROR(IoError, "load_npy: cannot read '.*none': No such file", load_npy(folder.path("none"))),
                 LUGE_ERROR(IoError, "load_npy: cannot read '.*': it is a folder", load_npy(folder.path()))});
}

TEST(NpyFile, CutAnywhereIsAnError) {
  const Folder folder;
  MemoryFile file;
  save_npy(folder.path("a.npy"), arange(6, {.dtype = float32}).reshape({2, 3}));
  const std::string whole = text_of(folder.path("a.npy"));
  ASSERT_EQ(whole.size(), 152U);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    file.write(whole.substr(0, n));
    EXPECT_THROW(load_npy(file.path()), IoError) << n;
    EXPECT_THROW(load_npy(file.path(), Device::cpu(), true), IoError) << n;
  }
  file.write(whole + '\0');
  EXPECT_THROW(load_npy(file.path()), IoError);
}

TEST(NpyFile, FlippedBitsGiveAnErrorOrAnArrayOfTheSameBytes) {
  const Folder folder;
  MemoryFile file;
  save_npy(folder.path("a.npy"), arange(6, {.dtype = int32}).reshape({2, 3}));
  const std::string whole = text_of(folder.path("a.npy"));
  int errors = 0;
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[i] = static_cast<char>(flipped[i] ^ 1 << bit);
      file.write(flipped);
      try {
        const Tensor x = load_npy(file.path());
        ASSERT_EQ(static_cast<std::size_t>(x.numel()) * size_of(x.dtype()), 24U) << i;
        EXPECT_TRUE(i > 9) << i;
      } catch (const IoError&) {
        ++errors;
      } catch (const DTypeError&) {
        ++errors;
      }
    }
  EXPECT_GT(errors, 8 * 50);
}

// ---- writing

TEST(NpyFile, IsNotTouchedByASaveThatFails) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  save_npy(path, arange(3));
  const std::string before = text_of(path);
  expect_errors({LUGE_ERROR(DTypeError, "^save_npy: tensor is bfloat16.*to\\(float32\\).*safetensors",
                            save_npy(path, ones({2}, {.dtype = bfloat16}))),
                 LUGE_ERROR(ValueError, "^save_npy: tensor is an undefined tensor", save_npy(path, Tensor())),
                 LUGE_ERROR(IoError, "^save_npy: cannot write", save_npy(folder.path("none/a.npy"), ones({2}))),
                 LUGE_ERROR(IoError, "^save_npy: cannot write.*folder", save_npy(folder.path(), ones({2})))});
  EXPECT_EQ(text_of(path), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

// ---- mapped files

TEST(NpyFile, MappedIsPrivateAndOutlivesItsName) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  save_npy(path, arange(5000, {.dtype = float32}));
  const std::string before = text_of(path);
  Tensor x = load_npy(path, Device::cpu(), true);
  const Tensor other = load_npy(path, Device::cpu(), true);
  x.mul_(2);
  EXPECT_EQ(text_of(path), before);
  EXPECT_TRUE(same(other, arange(5000, {.dtype = float32})));
  std::filesystem::remove(path);
  EXPECT_TRUE(same(x, arange(0, 10000, 2, {.dtype = float32})));
  EXPECT_TRUE(same(other.slice(0, 4000), arange(4000, 5000, 1, {.dtype = float32})));
}

TEST(NpyFile, OfNoElementsCanBeMapped) {
  const Folder folder;
  save_npy(folder.path("a.npy"), zeros({3, 0}));
  EXPECT_TRUE(same(load_npy(folder.path("a.npy"), Device::cpu(), true), zeros({3, 0})));
}

TEST(NpyFile, ThatCannotBeMappedSaysWhy) {
  const Folder folder;
  const std::string path = folder.path("a.npy");
  const auto map = [&] { return load_npy(path, Device::cpu(), true); };
  write_text(path, npy_file(npy_header(">f4", "False", "(1,)"), "\0\0\0\0"s));
  expect_errors({LUGE_ERROR(IoError, "^load_npy: '.*': cannot be mapped: .*other order; read it without mmap", map())});
  save_npy(path, ones({3}, {.dtype = boolean}));
  expect_errors({LUGE_ERROR(IoError, "cannot be mapped: .*no bools", map())});
  for (const std::size_t spaces : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    const std::string header = npy_header("<f4", "False", "(1,)") + std::string(spaces, ' ');
    write_text(path, npy_file(header, "\0\0\x80\x3F"s));
    if ((10 + header.size()) % 4 == 0)
      EXPECT_TRUE(has_values(map(), {1}, float32, {1}));
    else
      expect_errors(
          {LUGE_ERROR(IoError, "its numbers begin at offset .*, no multiple of the 4 bytes of float32", map())});
    EXPECT_TRUE(has_values(load_npy(path), {1}, float32, {1}));
  }
  expect_errors({LUGE_ERROR(DeviceError, "load_npy: mmap is for the memory of the CPU; device is cuda:0",
                            load_npy(path, Device::cuda(), true))});
}

}  // namespace
}  // namespace luge
