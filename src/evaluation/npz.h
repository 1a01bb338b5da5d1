#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace srdiff {

/// A NumPy .npz file: a zip archive of arrays. It may hold texts beside them, which NumPy leaves
/// alone.
struct Npz {
  std::map<std::string, at::Tensor> arrays;  ///< by name without ".npy"; float64 on the CPU
  std::map<std::string, std::string> texts;  ///< members with another ending, by full name
};

/// What a reader wants of an .npz file: members by name, and how large each may be, in bytes.
/// Others are not unpacked, so that a small file cannot take much memory.
struct NpzRequest {
  std::map<std::string, std::uint64_t> arrays;  ///< without ".npy"
  std::map<std::string, std::uint64_t> texts;   ///< by full name
};

/// Reads what np.savez and np.savez_compressed write of float64 and float32 arrays. A member that
/// the file does not have is absent from the result.
/// Throws InputError "PATH: reason", also where a member is larger than the request allows.
Npz read_npz(const std::filesystem::path& path, const NpzRequest& wanted);

/// Writes compressed, the same bytes for the same content; the file appears whole or not at all.
/// Throws InputError.
void write_npz(const std::filesystem::path& path, const Npz& npz);

}  // namespace srdiff
