#include "evaluation/npz.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <dlfcn.h>
#include <zip.h>

#include <cstdlib>
#include <fstream>

#include "base/file_io.h"
#include "srdiff/error.h"
#include "support/expect.h"
#include "support/temporary_folder.h"

namespace {

/// Which of libzip's calls fails, by its name.
std::string failing_call;
int sources_alive = 0;

template <typename Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

// The program's definitions go before the library's.
extern "C" {
zip_source_t* zip_source_buffer_create(const void* data, zip_uint64_t length, int freep,
                                       zip_error_t* error) {
  ++sources_alive;
  return original<decltype(zip_source_buffer_create)>("zip_source_buffer_create")(data, length,
                                                                                  freep, error);
}
void zip_source_free(zip_source_t* source) {
  --sources_alive;
  original<decltype(zip_source_free)>("zip_source_free")(source);
}
zip_t* zip_open_from_source(zip_source_t* source, int flags, zip_error_t* error) {
  return failing_call == "zip_open_from_source" ? nullptr
                                                : original<decltype(zip_open_from_source)>(
                                                      "zip_open_from_source")(source, flags, error);
}
zip_int64_t zip_source_read(zip_source_t* source, void* data, zip_uint64_t length) {
  return failing_call == "zip_source_read"
             ? -1
             : original<decltype(zip_source_read)>("zip_source_read")(source, data, length);
}
int zip_source_open(zip_source_t* source) {
  return failing_call == "zip_source_open"
             ? -1
             : original<decltype(zip_source_open)>("zip_source_open")(source);
}
}

namespace srdiff {
namespace {

constexpr std::uint64_t most = 1 << 24;

class NpzTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "arrays.npz"; }

  void expect_complaint(const std::string& part) {
    const std::string message = support::message_of<InputError>([&] {
      read_npz(file(), {{{"a", most}, {"mu", most}}, {}});
    });
    EXPECT_EQ(message.rfind(file().string() + ": ", 0), 0U) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  /// Has NumPy run a statement with `path` set; false where there is no NumPy.
  bool numpy(const std::string& statement) const {
    const std::string script = "import numpy as np; path = '" + file().string() + "'; " + statement;
    const std::string command = std::string(SRDIFF_TEST_PYTHON " -c \"") + script + '"';
    return std::system(command.c_str()) == 0;  // NOLINT(cert-env33-c)
  }

  support::TemporaryFolder folder_;
};

TEST_F(NpzTest, ComesBackAsItWas) {
  const at::Tensor matrix = at::arange(12, at::kDouble).reshape({3, 4}).sin();
  write_npz(file(), {{{"mu", at::arange(5, at::kDouble)}, {"sigma", matrix}}, {{"note", "text"}}});
  const Npz read = read_npz(file(), {{{"mu", most}, {"sigma", most}}, {{"note", most}}});
  EXPECT_TRUE(at::equal(read.arrays.at("mu"), at::arange(5, at::kDouble)));
  EXPECT_TRUE(at::equal(read.arrays.at("sigma"), matrix));
  EXPECT_EQ(read.texts.at("note"), "text");
}

TEST_F(NpzTest, SameContentSameBytes) {
  const Npz npz = {{{"mu", at::arange(5, at::kDouble)}}, {{"note", "text"}}};
  write_npz(file(), npz);
  const std::string first = read_file(file());
  write_npz(file(), npz);
  EXPECT_EQ(read_file(file()), first);
}

TEST_F(NpzTest, AFailureOfLibzipWritesNoFileAndLeaksNoSource) {
  for (const char* call : {"zip_open_from_source", "zip_source_open", "zip_source_read"}) {
    sources_alive = 0;
    failing_call = call;
    EXPECT_THROW(write_npz(file(), {{}, {{"note", "text"}}}), InputError) << call;
    failing_call.clear();
    EXPECT_FALSE(std::filesystem::exists(file())) << call;
    if (std::string(call) == "zip_open_from_source") {
      EXPECT_EQ(sources_alive, 0);
    }
  }
}

TEST_F(NpzTest, WhatIsNotAskedForIsNotUnpacked) {
  write_npz(file(), {{{"mu", at::zeros(5, at::kDouble)}}, {{"large", std::string(most, 'x')}}});
  const Npz read = read_npz(file(), {{{"mu", most}, {"sigma", most}}, {}});
  EXPECT_EQ(read.arrays.size(), 1U);
  EXPECT_TRUE(read.texts.empty());
  const std::string message = support::message_of<InputError>([&] {
    read_npz(file(), {{}, {{"large", 1000}}});
  });
  EXPECT_NE(message.find("large has 16777216 bytes, more than the 1000"), std::string::npos)
      << message;
}

TEST_F(NpzTest, NumPyReadsIt) {
  write_npz(file(), {{{"mu", at::tensor({1.0, 2.5}, at::kDouble)}, {"sigma", at::eye(2)}}, {}});
  if (!numpy("pass")) {
    GTEST_SKIP() << "no NumPy";
  }
  EXPECT_TRUE(
      numpy("f = np.load(path); assert f['mu'].tolist() == [1.0, 2.5]; "
            "assert (f['sigma'] == np.eye(2)).all()"));
}

TEST_F(NpzTest, ReadsWhatNumPyWrites) {
  if (!numpy("pass")) {
    GTEST_SKIP() << "no NumPy";
  }
  const at::Tensor expected = at::arange(6, at::kDouble).reshape({2, 3}) / 4.0;
  for (const char* form :
       {"np.savez(path, a=a)", "np.savez_compressed(path, a=a)",
        "np.savez(path, a=np.asfortranarray(a))", "np.savez(path, a=a.astype(np.float32))"}) {
    ASSERT_TRUE(numpy(std::string("a = np.arange(6.).reshape(2, 3) / 4; ") + form)) << form;
    EXPECT_TRUE(at::equal(read_npz(file(), {{{"a", most}}, {}}).arrays.at("a"), expected)) << form;
  }
  ASSERT_TRUE(numpy("np.savez(path, a=np.arange(3))"));
  expect_complaint("neither float64 nor float32");
  // A record of a float64 is none, though its type holds the word.
  ASSERT_TRUE(numpy("np.savez(path, a=np.zeros(3, dtype=[('x', '<f8')]))"));
  expect_complaint("neither float64 nor float32");
}

TEST_F(NpzTest, DamageIsNamed) {
  std::ofstream(file()) << "no archive";
  expect_complaint("is no .npz file");
  write_npz(file(), {{}, {{"mu.npy", "no array at all"}}});
  expect_complaint("mu.npy is no NumPy array");
  const std::string magic("\x93NUMPY\x01\x00", 8);
  write_npz(file(), {{}, {{"mu.npy", magic + "\xff\x0fshort"}}});
  expect_complaint("cut short");
  const std::string header = "{'descr': '<f8', 'shape': (9000000000, 9000000000), }  ";
  write_npz(file(), {{}, {{"mu.npy", magic + static_cast<char>(header.size()) + '\0' + header}}});
  expect_complaint("does not hold what its shape says");
}

TEST_F(NpzTest, ShapesThatAreNoneAreNamed) {
  std::string many;
  for (int i = 0; i < 400000; ++i) {
    many += "1,";
  }
  for (const std::string& shape : {many, std::string("99999999999999999999999"), std::string("-3"),
                                   std::string("2, x"), std::string()}) {
    const std::string header = "{'descr': '<f8', 'shape': (" + shape + "), }";
    std::string bytes("\x93NUMPY\x02\x00", 8);
    for (int byte = 0; byte < 4; ++byte) {
      bytes += static_cast<char>(header.size() >> (8 * byte));
    }
    write_npz(file(), {{}, {{"mu.npy", bytes + header}}});
    expect_complaint("has no shape of one or two dimensions");
  }
}

}  // namespace
}  // namespace srdiff
