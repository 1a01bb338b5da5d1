#include "images/row_encoder.h"

#include <tiffio.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "images/tiff_memory.h"
#include "srdiff/error.h"

namespace srdiff {
namespace {

std::size_t row_bytes(const FileLayout& layout) {
  return static_cast<std::size_t>(layout.width) * static_cast<std::size_t>(layout.channels) *
         static_cast<std::size_t>(layout.bit_depth / 8);
}

class TiffEncoder : public RowEncoder {
 public:
  TiffEncoder(const FileLayout& layout, std::string failure)
      : failure_(std::move(failure)), row_(row_bytes(layout)) {
    // Mode: write, little-endian on every machine, without mapping the file into memory.
    tiff_.reset(memory_.open("wlm"));
    if (tiff_ == nullptr) {
      throw InputError(failure_);
    }
    describe(layout);
  }

  void add_row(const unsigned char* samples) override {
    std::memcpy(row_.data(), samples, row_.size());  // libtiff's predictor works in place
    check(::TIFFWriteScanline(tiff_.get(), row_.data(), next_row_++, 0));
  }

  std::string finish() override {
    check(::TIFFWriteDirectory(tiff_.get()));
    return std::move(memory_.bytes);
  }

 private:
  void check(int status) const {
    if (status != 1) {
      throw InputError(failure_);
    }
  }

  template <typename... Values>
  void set(std::uint32_t tag, Values... values) {
    check(::TIFFSetField(tiff_.get(), tag, values...));
  }

  void describe(const FileLayout& layout) {
    set(TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(layout.width));
    set(TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(layout.height));
    set(TIFFTAG_BITSPERSAMPLE, layout.bit_depth);
    set(TIFFTAG_SAMPLESPERPIXEL, layout.channels);
    set(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    set(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    set(TIFFTAG_PHOTOMETRIC, layout.channels < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB);
    set(TIFFTAG_COMPRESSION, COMPRESSION_LZW);
    set(TIFFTAG_PREDICTOR, PREDICTOR_HORIZONTAL);
    // LZW begins anew with each strip, so that short strips cost size.
    constexpr std::size_t strip_bytes = std::size_t{1} << 16;
    set(TIFFTAG_ROWSPERSTRIP,
        static_cast<std::uint32_t>(std::max<std::size_t>(1, strip_bytes / row_.size())));
    if (layout.resolution) {
      set(TIFFTAG_XRESOLUTION, layout.resolution->x);
      set(TIFFTAG_YRESOLUTION, layout.resolution->y);
      if (layout.resolution->unit != 0) {
        set(TIFFTAG_RESOLUTIONUNIT, layout.resolution->unit);
      }
    }
    if (layout.channels == 4) {
      std::uint16_t straight_alpha = EXTRASAMPLE_UNASSALPHA;
      set(TIFFTAG_EXTRASAMPLES, 1, &straight_alpha);
    }
  }

  std::string failure_;
  TiffMemory<std::string> memory_;
  std::vector<unsigned char> row_;
  std::uint32_t next_row_ = 0;
  std::unique_ptr<TIFF, decltype(&::TIFFCleanup)> tiff_{nullptr, ::TIFFCleanup};
};

}  // namespace

std::unique_ptr<RowEncoder> make_tiff_encoder(const FileLayout& layout,
                                              const std::string& failure) {
  return std::make_unique<TiffEncoder>(layout, failure);
}

}  // namespace srdiff
