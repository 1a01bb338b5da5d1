#include "evaluation/npz.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/file_io.h"
#include "srdiff/error.h"
#include "support/expect.h"
#include "support/temporary_folder.h"

namespace srdiff {
namespace {

class NpzTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "arrays.npz"; }

  void expect_complaint(const std::string& part) {
    const std::string message = support::message_of<InputError>([&] { read_npz(file()); });
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
  const Npz read = read_npz(file());
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
    EXPECT_TRUE(at::equal(read_npz(file()).arrays.at("a"), expected)) << form;
  }
  ASSERT_TRUE(numpy("np.savez(path, a=np.arange(3))"));
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
