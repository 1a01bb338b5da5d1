// The program where it is built in two parts: this one, which starts at once, and srdiff-tool.so,
// which is all the rest. LibTorch brings some 290 libraries. Where a program is linked to them the
// system looks each of their symbols up in all of them, which took a third of what LibTorch takes
// to start; opened one after the other, each is looked up in what it depends on alone.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "exit_status.h"
#include "prehash_models.h"
#include "process_limits.h"
#include "standard_streams.h"
#include "thread_waiting.h"
#include "tool.h"
#include "usage.h"
#include "version.h"

namespace {

namespace fs = std::filesystem;

/// The folder of this program, from the root; empty where the system does not tell. A path from the
/// working directory would let whoever owns that directory run code of theirs.
fs::path program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return program.is_absolute() ? program.parent_path() : fs::path();
}

/// Beside this program, as built, or where it is installed.
fs::path tool_path(const fs::path& folder) {
  std::error_code error;
  fs::path beside = folder / "srdiff-tool.so";
  return fs::exists(beside, error)
             ? beside
             : (folder / SRDIFF_TOOL_FROM_PROGRAM / "srdiff-tool.so").lexically_normal();
}

/// Opens the libraries that the tool was built with, each after those that it depends on. What is
/// missing or does not open is left to the tool itself, which needs some of them only by the way.
void open_libraries(const fs::path& list) {
  if (std::getenv("LD_LIBRARY_PATH") != nullptr) {  // NOLINT(concurrency-mt-unsafe)
    return;                                         // the caller may want others than these
  }
  std::ifstream lines(list);
  std::string library;
  while (std::getline(lines, library)) {
    ::dlopen(library.c_str(), RTLD_LAZY | RTLD_LOCAL);
  }
}

/// OpenCV reads limits of its own from the environment, ends the process where they are no numbers,
/// and calls pictures beyond them damaged. srdiff has its own limits.
void forget_limits_of_opencv() {
  for (const char* variable :
       {"OPENCV_IO_MAX_IMAGE_PIXELS", "OPENCV_IO_MAX_IMAGE_WIDTH", "OPENCV_IO_MAX_IMAGE_HEIGHT"}) {
    ::unsetenv(variable);  // NOLINT(concurrency-mt-unsafe)
  }
}

[[noreturn]] void fail(const std::string& reason,
                       const char* remedy = "install srdiff and what it needs again") {
  std::fprintf(stderr, "srdiff: %s; %s\n", reason.c_str(), remedy);
  std::_Exit(exit_model_unusable);  // a thread may be hashing
}

/// `srdiff --version` is answered here, since LibTorch takes half a second to start. What cannot be
/// written is left to the tool, which says why.
bool told_version(int argc, char** argv) {
  return argc == 2 && std::string_view(argv[1]) == "--version" &&
         std::puts(version_line().c_str()) >= 0 && std::fflush(stdout) == 0;
}

/// Loads the other half of the program and runs it; it does not return.
void launch(int argc, char** argv) {
  const srdiff::KnownDigests digests = start_prehashing(argc, argv);
  const fs::path folder = program_folder();
  if (folder.empty()) {
    std::fputs(
        "srdiff: /proc/self/exe: cannot be read; mount /proc, by which the program finds its other "
        "half\n",
        stderr);
    std::_Exit(exit_model_unusable);
  }
  const fs::path path = tool_path(folder);
  std::error_code error;
  if (!fs::exists(path, error)) {
    fail(folder.string() + ": holds the program without its other half, srdiff-tool.so",
         "copy both, or make a link to the program where it is installed");
  }
  open_libraries(fs::path(path).replace_extension(".libraries"));
  // Global, as the libraries of a program are: LibTorch opens more of them when they are needed.
  void* const tool = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_GLOBAL);
  if (tool == nullptr) {
    fail(::dlerror());  // NOLINT(concurrency-mt-unsafe)
  }
  const auto run = reinterpret_cast<decltype(&srdiff_run)>(::dlsym(tool, "srdiff_run"));
  if (run == nullptr) {
    fail(path.string() + ": is not srdiff's");
  }
  run(argc, argv, digests);
}

}  // namespace

int main(int argc, char** argv) {
  fill_closed_streams();
  if (argc < 2) {
    return tell_usage();
  }
  if (told_version(argc, argv)) {
    return exit_ok;
  }
  forget_limits_of_opencv();
  choose_thread_waiting();
  limit_blas_threads();
  run_with_usual_stack(launch, argc, argv);
}
