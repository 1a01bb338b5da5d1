#pragma once

#include <lcms2.h>

#include <string>

namespace srdiff::support {

/// The bytes of a colour profile (ICC), which is closed.
inline std::string icc_of(cmsHPROFILE profile) {
  cmsUInt32Number size = 0;
  ::cmsSaveProfileToMem(profile, nullptr, &size);
  std::string icc(size, '\0');
  ::cmsSaveProfileToMem(profile, icc.data(), &size);
  ::cmsCloseProfile(profile);
  return icc;
}

}  // namespace srdiff::support
