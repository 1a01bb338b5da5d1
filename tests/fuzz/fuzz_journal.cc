// Any text as the journal of an output folder, and as that of another shard: its whole lines are
// read, the others passed over, and what is written anew reads back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "batch/journal.h"
#include "srdiff/error.h"

namespace fs = std::filesystem;

namespace {

/// In memory where the system has such a folder: a journal is flushed to the disk.
fs::path make_folder() {
  const fs::path parent = fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
  std::string name = (parent / "fuzz-journal-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    std::abort();
  }
  return name;
}

std::vector<fs::path> outputs_of(const fs::path& folder) {
  srdiff::Journal journal(folder, srdiff::Shard{});
  journal.read_others();
  for (const fs::path& output : journal.outputs()) {
    if (!journal.find(output)) {
      std::abort();
    }
  }
  return journal.outputs();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fs::path folder = make_folder();
  for (const char* name : {".srdiff.journal", ".srdiff.journal.2-of-3"}) {
    std::ofstream(folder / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  }
  if (outputs_of(folder) != outputs_of(folder)) {
    std::abort();
  }
  return 0;
}
