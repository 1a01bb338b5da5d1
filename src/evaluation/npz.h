#pragma once

#include <ATen/core/Tensor.h>

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

/// Reads what np.savez and np.savez_compressed write of float64 and float32 arrays.
/// Throws InputError "PATH: reason".
Npz read_npz(const std::filesystem::path& path);

/// Writes compressed, the same bytes for the same content; the file appears whole or not at all.
/// Throws InputError.
void write_npz(const std::filesystem::path& path, const Npz& npz);

}  // namespace srdiff
