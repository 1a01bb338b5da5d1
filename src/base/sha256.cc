#include "base/sha256.h"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace srdiff {
namespace {

using Digest = std::array<unsigned char, 32>;

void require(int openssl_result) {
  if (openssl_result != 1) {
    throw std::runtime_error("OpenSSL cannot compute SHA-256 on this machine");
  }
}

}  // namespace

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { EVP_MD_CTX_free(evp); }

  Digest finish() {
    Digest digest{};
    require(EVP_DigestFinal_ex(evp, digest.data(), nullptr));
    return digest;
  }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  require(EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr));
}

Sha256::~Sha256() = default;

void Sha256::update(const void* data, std::size_t size) {
  require(EVP_DigestUpdate(context_->evp, data, size));
}

void Sha256::update_u64(std::uint64_t value) {
  std::array<unsigned char, 8> bytes{};
  for (unsigned char& byte : bytes) {
    byte = static_cast<unsigned char>(value);
    value >>= 8;
  }
  update(bytes.data(), bytes.size());
}

std::string Sha256::hex() {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : context_->finish()) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::uint64_t Sha256::first_u64() {
  const Digest digest = context_->finish();
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) {
    value = value << 8 | digest[static_cast<std::size_t>(i)];
  }
  return value;
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  return hash.hex();
}

}  // namespace srdiff
