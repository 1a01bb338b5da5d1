#include "evaluation/npz.h"

#include <ATen/ATen.h>
#include <zip.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/file_io.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

namespace fs = std::filesystem;

/// A member that declares more than this is refused before memory is taken.
constexpr std::uint64_t max_member_bytes = std::uint64_t{1} << 32;
constexpr const char* npy_magic = "\x93NUMPY";
constexpr std::size_t npy_magic_size = 6;
const std::string npy_ending = ".npy";

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct Close {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

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

/// Of at most two dimensions.
std::vector<std::int64_t> npy_shape(const std::string& header) {
  constexpr std::string_view key = "'shape':";
  constexpr std::size_t most_dimensions = 2;
  const std::size_t at = header.find(key);
  const std::size_t open = at == std::string::npos ? at : header.find('(', at + key.size());
  const std::size_t close = open == std::string::npos ? open : header.find(')', open);
  if (close == std::string::npos) {
    throw InputError("has no shape");
  }
  std::vector<std::int64_t> shape;
  const char* const end = header.data() + close;
  for (const char* next = header.data() + open + 1; next != end;) {
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
  const bool doubles = layout.header.find("'<f8'") != std::string::npos;
  if (!doubles && layout.header.find("'<f4'") == std::string::npos) {
    throw InputError("holds neither float64 nor float32");
  }
  std::vector<std::int64_t> shape = npy_shape(layout.header);
  const at::ScalarType type = doubles ? at::kDouble : at::kFloat;
  std::size_t left = (bytes.size() - layout.data) / (doubles ? 8 : 4);
  for (const std::int64_t size : shape) {  // by division: a product could overflow
    left = size > 0 ? left / static_cast<std::size_t>(size) : 0;
  }
  const bool column_major = layout.header.find("'fortran_order': True") != std::string::npos;
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

std::string read_member(zip_t* archive, zip_uint64_t index, const std::string& name) {
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_stat_index(archive, index, 0, &status) != 0 || (status.valid & ZIP_STAT_SIZE) == 0 ||
      status.size > max_member_bytes) {
    throw InputError(name + " has no size that can be read");
  }
  const std::unique_ptr<zip_file_t, Close> file(zip_fopen_index(archive, index, 0));
  std::string bytes(file ? status.size : 0, '\0');
  if (!file ||
      zip_fread(file.get(), bytes.data(), bytes.size()) != static_cast<zip_int64_t>(bytes.size())) {
    throw InputError(name + " cannot be unpacked; the file is damaged");
  }
  return bytes;
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

Npz read_archive(zip_t* archive) {
  Npz npz;
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive, 0));
  for (zip_uint64_t i = 0; i < count; ++i) {
    const char* found = zip_get_name(archive, i, 0);
    const std::string name = found == nullptr ? "" : found;
    const std::string bytes = read_member(archive, i, name);
    if (!ends_with(name, npy_ending)) {
      npz.texts[name] = bytes;
      continue;
    }
    try {
      npz.arrays[name.substr(0, name.size() - npy_ending.size())] = parse_npy(bytes);
    } catch (const InputError& error) {
      throw InputError(name + " " + error.what());
    }
  }
  return npz;
}

void add_member(zip_t* archive, const std::string& name, const std::string& bytes) {
  constexpr zip_uint16_t no_time = 0;  // 1980-00-00: the bytes depend on the content alone
  zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
  const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    throw InputError(zip_strerror(archive));
  }
  zip_file_set_dostime(archive, static_cast<zip_uint64_t>(index), no_time, no_time, 0);
}

std::string pack(const std::map<std::string, std::string>& members) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* buffer = zip_source_buffer_create(nullptr, 0, 0, &error);
  Archive archive(zip_open_from_source(buffer, ZIP_TRUNCATE, &error));
  if (!archive) {
    throw InputError(zip_error_strerror(&error));
  }
  zip_source_keep(buffer);  // it outlives the archive, which is written when it is closed
  const std::unique_ptr<zip_source_t, decltype(&zip_source_free)> kept(buffer, zip_source_free);
  for (const auto& [name, bytes] : members) {
    add_member(archive.get(), name, bytes);
  }
  if (zip_close(archive.get()) != 0) {
    throw InputError(zip_strerror(archive.get()));
  }
  static_cast<void>(archive.release());  // zip_close has freed it
  zip_stat_t status;
  zip_stat_init(&status);
  zip_source_stat(buffer, &status);
  std::string bytes(status.size, '\0');
  zip_source_open(buffer);
  zip_source_read(buffer, bytes.data(), bytes.size());
  zip_source_close(buffer);
  return bytes;
}

}  // namespace

Npz read_npz(const fs::path& path) {
  int code = 0;
  const Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (!archive) {
    throw InputError(path.string() + ": is no .npz file: " + message(code));
  }
  try {
    return read_archive(archive.get());
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
