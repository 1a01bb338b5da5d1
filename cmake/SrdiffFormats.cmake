# The formats whose libraries a build may lack: JPEG XL (libjxl), AVIF (libavif) and HEIC (libheif).
# Each is used where it is found, unless its option is OFF. SRDIFF_FORMATS lists the endings of those
# that are, SRDIFF_FORMAT_LIBRARIES what to link, SRDIFF_FORMATS_USE says it in words.
set(SRDIFF_FORMATS "")
set(SRDIFF_FORMAT_LIBRARIES "")
set(SRDIFF_FORMATS_USE "")

# srdiff_format(ENDING NAME LIBRARY HEADER)
function(srdiff_format ending name library header)
  string(TOUPPER "${ending}" upper)
  option(SRDIFF_USE_${upper} "Use lib${library} for ${name} where it is found" ON)
  find_library(SRDIFF_LIB${upper} ${library})
  find_path(SRDIFF_LIB${upper}_INCLUDE "${header}")
  if(NOT SRDIFF_USE_${upper})
    set(use "no ${name} (SRDIFF_USE_${upper} is OFF)")
  elseif(NOT SRDIFF_LIB${upper} OR NOT SRDIFF_LIB${upper}_INCLUDE)
    set(use "no ${name} (lib${library}-dev is missing)")
  else()
    set(use "${name}")
    set(SRDIFF_FORMATS ${SRDIFF_FORMATS} ${ending} PARENT_SCOPE)
    set(SRDIFF_FORMAT_LIBRARIES ${SRDIFF_FORMAT_LIBRARIES} "${SRDIFF_LIB${upper}}" PARENT_SCOPE)
  endif()
  set(SRDIFF_FORMATS_USE ${SRDIFF_FORMATS_USE} "${use}" PARENT_SCOPE)
endfunction()

srdiff_format(jxl "JPEG XL" jxl jxl/encode.h)
srdiff_format(avif "AVIF" avif avif/avif.h)
srdiff_format(heic "HEIC" heif libheif/heif.h)
list(JOIN SRDIFF_FORMATS_USE ", " SRDIFF_FORMATS_USE)
