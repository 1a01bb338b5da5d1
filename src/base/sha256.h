#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace srdiff {

/// Incremental SHA-256 (OpenSSL's).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(const void* data, std::size_t size);
  /// Eight bytes, little-endian.
  void update_u64(std::uint64_t value);
  /// The digest as 64 lower-case hexadecimal digits. Ends the computation.
  std::string hex();
  /// The digest's first eight bytes, little-endian. Ends the computation.
  std::uint64_t first_u64();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// The digest of `bytes` as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace srdiff
