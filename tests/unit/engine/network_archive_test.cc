#include "engine/network_archive.h"

#include <gtest/gtest.h>
#include <torch/script.h>

#include <filesystem>
#include <sstream>
#include <string>

#include "engine/network_code.h"
#include "engine/network_pickle.h"
#include "engine/zip_directory.h"
#include "srdiff/error.h"
#include "srdiff/network.h"
#include "support/expect.h"
#include "support/temporary_folder.h"

namespace srdiff {
namespace {

using support::message_of;
using support::TemporaryFolder;

/// A network that LibTorch has written, with these methods.
std::string saved(const std::string& methods) {
  torch::jit::Module module("Network");
  module.register_parameter("weight", at::ones({3, 3, 3, 3}), false);
  module.define(methods);
  std::ostringstream bytes;
  module.save(bytes);
  return bytes.str();
}

std::string forward(const std::string& result) {
  return "def forward(self, x):\n    return " + result + "\n";
}

/// Why an archive is refused, or "" where it is not.
std::string refusal(const std::string& bytes) {
  try {
    check_network_archive(bytes);
  } catch (const ModelError& error) {
    EXPECT_EQ(error.code(), ErrorCode::network_not_trusted) << error.what();
    return error.what();
  }
  return "";
}

/// The same of the text of a module as it stands in an archive.
std::string code_refusal(const std::string& code) {
  const auto any_is_operator = [](const std::string& name) { return name != "forward"; };
  CodeReferences references;
  try {
    check_network_code(code, "__torch__", any_is_operator, references);
    check_import_depth(references);
  } catch (const ModelError& error) {
    return error.what();
  }
  return "";
}

std::string pickle_refusal(const std::string& pickle) {
  try {
    check_network_pickle(pickle, {{"0", 40}});
  } catch (const ModelError& error) {
    return error.what();
  }
  return "";
}

void expect_part(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks " << part;
}

TEST(NetworkArchiveTest, TakesWhatNetworksDo) {
  EXPECT_EQ(refusal(saved(forward("torch.conv2d(x, self.weight, None, [1, 1], [1, 1]).relu()"))),
            "");
  EXPECT_EQ(refusal(saved(R"(
def forward(self, x):
    size = [x.size(2) * 2, x.size(3) * 2]
    if size[0] > 10:
        x = torch.cat([x[:, :1], x[:, 1:]], 1)
    for i in range(3):
        x = x + float(i) * torch.sigmoid(x).mean([2, 3], keepdim=True)
    return torch._upsample_bicubic2d_aa(x, size, False, None, None).clamp(-1.0, 1.0)
)")),
            "");
}

TEST(NetworkArchiveTest, NamesTheOperator) {
  expect_part(refusal(saved(forward(R"(x + torch.from_file("/etc/passwd", True, 4))"))),
              "calls aten::from_file");
  expect_part(refusal(saved(forward("torch.as_strided(x, [9999], [1])"))),
              "calls aten::as_strided");
  expect_part(refusal(saved(forward("x.resize_([1 << 20])"))), "calls aten::resize_");
  expect_part(refusal(saved("def forward(self, x):\n    print(x)\n    return x\n")), "'print'");
  expect_part(refusal(saved("def forward(self, x):\n    while True:\n        x = x + 1\n"
                            "    return x\n")),
              "'while'");
}

TEST(NetworkArchiveTest, CodeThatWouldRunAtLoadingDoesNot) {
  const TemporaryFolder folder;
  const std::filesystem::path victim = folder.path() / "victim";
  const std::string bytes = saved(forward("x") + R"(
def __getstate__(self):
    return self.weight
def __setstate__(self, state: Tensor):
    file = torch.from_file(")" + victim.string() +
                                  R"(", True, 16)
    file.fill_(1.0)
    self.weight = state + file[0]
)");
  expect_part(refusal(bytes), "state__, which would run when the file is loaded");
  const std::string message = message_of<ModelError>(
      [&] { Network::from_bytes(bytes, "evil.pt", c10::kCPU, c10::kFloat); });
  EXPECT_EQ(message.rfind("evil.pt: refused before it was loaded: ", 0), 0U) << message;
  EXPECT_FALSE(std::filesystem::exists(victim));
  // The same file would have written: what is refused is refused for a reason.
  Network::from_bytes(bytes, "evil.pt", c10::kCPU, c10::kFloat, NetworkTrust::unchecked);
  EXPECT_TRUE(std::filesystem::exists(victim));
}

TEST(NetworkArchiveTest, AnOperatorIsFoundUnderAnyName) {
  for (const char* statement :
       {"torch.save(x)",
        "ops.aten.save(x)",
        "x.save()",
        "(x).save()",
        "\"x\".save()",
        "x[0].save()",
        "self.a.save()",
        "x .save ()",
        "x\\\n.save()",
        "f = torch.save",
        "f = torch",
        "f = ops.quantized.add",
        "f = ops",
        "ops.prim.rpc_sync(x)",
        "f = x.save\n    f()",
        "(x.save)()",
        "[x.save][0]()",
        "getattr(x, \"save\")()",
        "f = getattr(x, \"save\")\n    f()",
        "fork(x)",
        "f = fork\n    f(x)",
        "print(x)",
        "__torch__.torch.classes.a.B()",
        "getattr(__torch__.torch, \"classes\").a.B()",
        "y = 1 if x 0else-x.save()",
        "y = 1 if 0else-x.save(x)",
        "y = 0torch.save(x)",
        "if c:\n      f = __torch__.g\n    else:\n      f = x.save\n    f()"}) {
    const std::string code =
        "class N(Module):\n  def forward(self: __torch__.N,\n    x: Tensor) -> "
        "Tensor:\n    " +
        std::string(statement) + "\n    return x\n";
    EXPECT_NE(code_refusal(code), "") << statement;
  }
  EXPECT_EQ(code_refusal("class N(Module):\n  weight : Tensor\n  def forward(self: __torch__.N,\n"
                         "    x: Tensor) -> Tensor:\n    _0 = __torch__.torch.nn.functional.relu\n"
                         "    weight = self.weight\n    _1 = torch.add(_0(x, ), weight, alpha=1)\n"
                         "    _2 = (self.m).forward(_1, )\n    return torch.mul(_2, -0.5e-3)\n"),
            "");
}

TEST(NetworkArchiveTest, DepthsAndLoopsAreLimited) {
  const auto function = [](const std::string& body) {
    return "def f(x: Tensor) -> Tensor:\n" + body + "  return x\n";
  };
  const auto repeated = [](const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) {
      all += text;
    }
    return all;
  };
  expect_part(
      code_refusal(function("  y = " + repeated("(", 300) + "x" + repeated(")", 300) + "\n")),
      "nested deeper");
  expect_part(code_refusal(function("  y = x" + repeated(" + x", 300) + "\n")), "nested deeper");
  expect_part(code_refusal(function("  y = " + repeated("not ", 300) + "x\n")), "nested deeper");
  expect_part(code_refusal(function("  y = x" + repeated(".relu()", 200) + "\n")), "nested deeper");
  std::string nested;
  for (int i = 0; i < 70; ++i) {
    nested += repeated(" ", i + 2) + "if x:\n";
  }
  expect_part(code_refusal(function(nested + repeated(" ", 80) + "pass\n")), "statements nested");
  EXPECT_EQ(code_refusal(function("  y = [" + repeated("torch.add(x, x), ", 3000) + "]\n")), "");
  expect_part(code_refusal(function("  for i in range(9223372036854775807):\n    pass\n")),
              "a loop of");
  expect_part(code_refusal(function("  y = [i for i in range(x)]\n")), "loop within an expression");
  std::string classes;
  for (int i = 0; i < 100; ++i) {
    classes += "class A" + std::to_string(i) + "(Module):\n  a : __torch__.A" +
               std::to_string(i + 1) + "\n";
  }
  expect_part(code_refusal(classes), "use each other deeper");
  expect_part(
      code_refusal("class A(Module):\n  a : __torch__.B\nclass B(Module):\n  a : __torch__.A\n"),
      "in a circle");
}

// Instructions: see pickletools of Python.
TEST(NetworkArchiveTest, PicklesAreFollowed) {
  using namespace std::string_literals;
  const std::string start = "\x80\x02";
  const std::string storage =
      "(X\x07\0\0\0storagectorch\nFloatStorage\n"s
      "X\x01\0\0\0"s
      "0X\x03\0\0\0cpuK\x0atQ"s;
  const auto tensor = [&](const std::string& offset, const std::string& size) {
    return start + "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + size +
           "K\x01\x85\x89}(utR.";
  };
  EXPECT_EQ(pickle_refusal(start + "(K\x01N\x88t."), "");
  EXPECT_EQ(pickle_refusal(tensor("K\0"s, "K\x0a\x85")), "");
  expect_part(pickle_refusal(tensor("K\x01", "K\x0a\x85")), "larger than its storage");
  expect_part(pickle_refusal(tensor("K\0"s, "K\x0b\x85")), "larger than its storage");
  expect_part(pickle_refusal(start + "cos\nsystem\nX\x01\0\0\0aR."), "names os system");
  expect_part(pickle_refusal(start + "."), "leaves values over");
  expect_part(pickle_refusal(start + "\x85."), "not there");
  expect_part(pickle_refusal(start + "Nr\xff\xff\xff\x7f."s), "out of turn");
  expect_part(pickle_refusal(start + "]q\0(h\0e."s), "holds itself");
  expect_part(pickle_refusal(start + std::string(1000, '(') + "."), "nested deeper");
  std::string laughs = start + "N";
  for (int i = 0; i < 40; ++i) {
    laughs += std::string("q") + static_cast<char>(i) + "h" + static_cast<char>(i) + "\x86";
  }
  expect_part(pickle_refusal(laughs + "."), "or too many");
}

TEST(NetworkArchiveTest, AnArchiveOfAnotherKindIsNotUsable) {
  const std::string bytes = saved(forward("x"));
  for (const std::string& damaged :
       {std::string("no archive"), bytes + "more", bytes.substr(0, bytes.size() / 2)}) {
    EXPECT_THROW(read_zip_directory(damaged), ModelError);
  }
  const std::string message = message_of<ModelError>(
      [&] { Network::from_bytes(bytes + "x", "n.pt", c10::kCPU, c10::kFloat); });
  EXPECT_EQ(message.rfind("n.pt: not a usable TorchScript network: ", 0), 0U) << message;
}

}  // namespace
}  // namespace srdiff
