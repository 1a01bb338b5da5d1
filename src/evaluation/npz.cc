#include "evaluation/npz.h"

#include <ATen/ATen.h>
#include <zip.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/file_io.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

constexpr const char* npy_magic = "\x93NUMPY";
constexpr std::size_t npy_magic_size = 6;
const std::string npy_ending = ".npy";

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct Close {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
struct FreeSource {
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
using Source = std::unique_ptr<zip_source_t, FreeSource>;

std::string message(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

/// The bytes after the magic: version, header length, header, data.
struct NpyLayout {
  std::string header;
  std::size_t data = 0;  ///< where the values begin
};

NpyLayout npy_layout(const std::string& bytes) {
  // Version 1 has a header length of two bytes, later ones of four, little-endian.
  const bool known = bytes.size() > npy_magic_size + 6 &&
                     bytes.compare(0, npy_magic_size, npy_magic, npy_magic_size) == 0;
  if (!known) {
    throw InputError("is no NumPy array");
  }
  const std::size_t length_bytes = bytes[npy_magic_size] == 1 ? 2 : 4;
  std::size_t length = 0;
  for (std::size_t i = length_bytes; i > 0; --i) {
    length = length << 8 | static_cast<unsigned char>(bytes[npy_magic_size + 1 + i]);
  }
  const std::size_t header = npy_magic_size + 2 + length_bytes;
  if (length > bytes.size() - header) {
    throw InputError("is cut short");
  }
  return {bytes.substr(header, length), header + length};
}

/// What stands behind a key of a .npy header, from its first character on; empty where the header
/// has no such key.
std::string_view npy_field(std::string_view header, const std::string& key) {
  const std::string quoted = "'" + key + "':";
  const std::size_t at = header.find(quoted);
  const std::size_t value =
      at == std::string_view::npos ? at : header.find_first_not_of(' ', at + quoted.size());
  return value == std::string_view::npos ? std::string_view() : header.substr(value);
}

bool npy_field_is(std::string_view header, const std::string& key, std::string_view word) {
  const std::string_view value = npy_field(header, key);
  const char behind = value.size() > word.size() ? value[word.size()] : '\0';
  return value.substr(0, word.size()) == word && (behind == ',' || behind == '}' || behind == ' ');
}

/// The shape in a .npy header, of at most two dimensions.
std::vector<std::int64_t> npy_shape(const std::string& header) {
  constexpr std::size_t most_dimensions = 2;
  const std::string_view field = npy_field(header, "shape");
  const std::size_t close = field.substr(0, 1) == "(" ? field.find(')') : std::string_view::npos;
  if (close == std::string_view::npos) {
    throw InputError("has no shape");
  }
  std::vector<std::int64_t> shape;
  const char* const end = field.data() + close;
  for (const char* next = field.data() + 1; next != end;) {
    if (*next == ' ' || *next == ',') {
      ++next;
      continue;
    }
    std::int64_t size = 0;
    const auto [behind, error] = std::from_chars(next, end, size);
    if (error != std::errc() || size < 0 || shape.size() == most_dimensions) {
      throw InputError("has no shape of one or two dimensions");
    }
    shape.push_back(size);
    next = behind;
  }
  if (shape.empty()) {
    throw InputError("has no shape of one or two dimensions");
  }
  return shape;
}

at::Tensor parse_npy(const std::string& bytes) {
  const NpyLayout layout = npy_layout(bytes);
  const bool doubles = npy_field_is(layout.header, "descr", "'<f8'");
  if (!doubles && !npy_field_is(layout.header, "descr", "'<f4'")) {
    throw InputError("holds neither float64 nor float32");
  }
  std::vector<std::int64_t> shape = npy_shape(layout.header);
  const at::ScalarType type = doubles ? at::kDouble : at::kFloat;
  std::size_t left = (bytes.size() - layout.data) / (doubles ? 8 : 4);
  for (const std::int64_t size : shape) {  // by division: a product could overflow
    left = size > 0 ? left / static_cast<std::size_t>(size) : 0;
  }
  const bool column_major = npy_field_is(layout.header, "fortran_order", "True");
  if (column_major) {
    std::reverse(shape.begin(), shape.end());
  }
  at::Tensor values = left > 0 ? at::empty(shape, type) : at::Tensor();
  if (!values.defined() || values.nbytes() != bytes.size() - layout.data) {
    throw InputError("does not hold what its shape says");
  }
  std::memcpy(values.data_ptr(), bytes.data() + layout.data, values.nbytes());
  return (column_major ? values.t().contiguous() : values).to(at::kDouble);
}

std::string to_npy(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kCPU, at::kDouble).contiguous();
  std::ostringstream header;
  header << "{'descr': '<f8', 'fortran_order': False, 'shape': (";
  for (const std::int64_t size : values.sizes()) {
    header << size << ", ";
  }
  header << "), }";
  std::string text = header.str();
  constexpr std::size_t alignment = 64;  // the format wants the data aligned, a line end before it
  const std::size_t used = npy_magic_size + 4 + text.size() + 1;
  text += std::string((alignment - used % alignment) % alignment, ' ') + '\n';
  std::string bytes(npy_magic, npy_magic_size);
  bytes += {1, 0, static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  bytes += text;
  bytes.append(static_cast<const char*>(values.data_ptr()), values.nbytes());
  return bytes;
}

/// A member, or nothing where the archive has none of that name.
std::optional<std::string> read_member(zip_t* archive, const std::string& name,
                                       std::uint64_t max_bytes) {
  const zip_int64_t index = zip_name_locate(archive, name.c_str(), 0);
  if (index < 0) {
    return std::nullopt;
  }
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_stat_index(archive, static_cast<zip_uint64_t>(index), 0, &status) != 0 ||
      (status.valid & ZIP_STAT_SIZE) == 0) {
    throw InputError(name + " has no size that can be read");
  }
  if (status.size > max_bytes) {
    throw InputError(name + " has " + std::to_string(status.size) + " bytes, more than the " +
                     std::to_string(max_bytes) + " that can be meant");
  }
  const std::unique_ptr<zip_file_t, Close> file(
      zip_fopen_index(archive, static_cast<zip_uint64_t>(index), 0));
  std::string bytes(file ? status.size : 0, '\0');
  if (!file ||
      zip_fread(file.get(), bytes.data(), bytes.size()) != static_cast<zip_int64_t>(bytes.size())) {
    throw InputError(name + " cannot be unpacked; the file is damaged");
  }
  return bytes;
}

Npz read_archive(zip_t* archive, const NpzRequest& wanted) {
  Npz npz;
  for (const auto& [name, max_bytes] : wanted.texts) {
    if (std::optional<std::string> bytes = read_member(archive, name, max_bytes)) {
      npz.texts[name] = *std::move(bytes);
    }
  }
  for (const auto& [name, max_bytes] : wanted.arrays) {
    const std::string member = name + npy_ending;
    const std::optional<std::string> bytes = read_member(archive, member, max_bytes);
    if (!bytes) {
      continue;
    }
    try {
      npz.arrays[name] = parse_npy(*bytes);
    } catch (const InputError& error) {
      throw InputError(member + " " + error.what());
    }
  }
  return npz;
}

void add_member(zip_t* archive, const std::string& name, const std::string& bytes) {
  constexpr zip_uint16_t no_time = 0;  // 1980-00-00: the bytes depend on the content alone
  Source source(zip_source_buffer(archive, bytes.data(), bytes.size(), 0));
  const zip_int64_t index =
      source ? zip_file_add(archive, name.c_str(), source.get(), ZIP_FL_ENC_UTF_8) : -1;
  if (index < 0) {
    throw InputError(zip_strerror(archive));
  }
  static_cast<void>(source.release());  // the archive frees it
  if (zip_file_set_dostime(archive, static_cast<zip_uint64_t>(index), no_time, no_time, 0) != 0) {
    throw InputError(zip_strerror(archive));
  }
}

/// The bytes of an archive that was written to a buffer.
std::string bytes_of(zip_source_t* buffer) {
  const auto fail = [buffer] { throw InputError(zip_error_strerror(zip_source_error(buffer))); };
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_source_stat(buffer, &status) != 0 || (status.valid & ZIP_STAT_SIZE) == 0 ||
      zip_source_open(buffer) != 0) {
    fail();
  }
  std::string bytes(status.size, '\0');
  const zip_int64_t count = zip_source_read(buffer, bytes.data(), bytes.size());
  if (count < 0) {
    fail();
  }
  if (static_cast<zip_uint64_t>(count) != status.size || zip_source_close(buffer) != 0) {
    throw InputError("the archive in memory is not whole");
  }
  return bytes;
}

std::string pack(const std::map<std::string, std::string>& members) {
  zip_error_t error;
  zip_error_init(&error);
  const Source buffer(zip_source_buffer_create(nullptr, 0, 0, &error));
  Archive archive(buffer ? zip_open_from_source(buffer.get(), ZIP_TRUNCATE, &error) : nullptr);
  if (!archive) {
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw InputError(reason);
  }
  zip_error_fini(&error);
  zip_source_keep(buffer.get());  // one count for the archive, which frees it, and one for `buffer`
  for (const auto& [name, bytes] : members) {
    add_member(archive.get(), name, bytes);
  }
  if (zip_close(archive.get()) != 0) {
    throw InputError(zip_strerror(archive.get()));
  }
  static_cast<void>(archive.release());  // zip_close has freed it
  return bytes_of(buffer.get());
}

}  // namespace

Npz read_npz(const fs::path& path, const NpzRequest& wanted) {
  int code = 0;
  const Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (!archive) {
    throw InputError(path.string() + ": is no .npz file: " + message(code));
  }
  try {
    return read_archive(archive.get(), wanted);
  } catch (const InputError& error) {
    throw InputError(path.string() + ": " + error.what());
  }
}

void write_npz(const fs::path& path, const Npz& npz) {
  std::map<std::string, std::string> members = npz.texts;
  for (const auto& [name, array] : npz.arrays) {
    members[name + npy_ending] = to_npy(array);
  }
  std::string bytes;
  try {
    bytes = pack(members);
  } catch (const InputError& error) {
    throw InputError(path.string() + ": cannot be written: " + error.what());
  }
  write_file_atomically(path, bytes);
}

}  // namespace srdiff
