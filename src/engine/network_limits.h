#pragma once

#include <cstddef>
#include <cstdint>

// What a TorchScript file may take before it is looked at any closer. The networks of the shipped
// models have some 260 members, 72 kB of code and 0.1 MB of pickles; an RRDB network that was
// traced has some 2,000 members.

namespace srdiff {

/// Members of the archive.
inline constexpr std::size_t max_members = 65536;
/// Bytes of the code of one member, and of one pickle.
inline constexpr std::uint64_t max_text_bytes = std::uint64_t{16} << 20;
/// Bytes of all code and pickles together, unpacked.
inline constexpr std::uint64_t max_unpacked_bytes = std::uint64_t{128} << 20;
/// How deep expressions, values of a pickle and types may be nested.
inline constexpr int max_depth = 256;
/// How deep statements may be nested.
inline constexpr std::size_t max_statement_depth = 64;
/// How many classes and functions may use each other in a row: LibTorch's importer calls itself for
/// each.
inline constexpr int max_import_depth = 64;
/// Loops within loops.
inline constexpr int max_loop_depth = 3;
/// How often a loop whose count stands in the code may run.
inline constexpr std::int64_t max_loop_count = 65536;

}  // namespace srdiff
