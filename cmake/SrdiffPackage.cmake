# `cpack`, or scripts/package.sh: srdiff_VERSION_ARCHITECTURE.deb, the program, and
# srdiff-models_VERSION_all.deb, the models. The library and its headers are in neither.
set(SRDIFF_PACKAGE_CONTACT "srdiff authors <srdiff@example.org>" CACHE STRING
    "Name and address of whoever makes packages")

# srdiff_package_documents(COMPONENT PACKAGE): what Debian wants in share/doc/PACKAGE. The copyright file has been
# written; the changelog's one entry refers to CHANGELOG.md.
function(srdiff_package_documents component package)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/package/${package}")
  set(SRDIFF_PACKAGE "${package}")
  string(TIMESTAMP SRDIFF_PACKAGE_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
  configure_file(cmake/package/changelog.in "${folder}/changelog" @ONLY)
  file(ARCHIVE_CREATE OUTPUT "${folder}/changelog.gz" PATHS "${folder}/changelog" FORMAT raw
       COMPRESSION GZip COMPRESSION_LEVEL 9)
  install(FILES "${folder}/changelog.gz" "${folder}/copyright"
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component} EXCLUDE_FROM_ALL)
endfunction()

# The lines of LICENSE as Debian's copyright files have them: each a blank in front, a dot if empty.
file(READ LICENSE SRDIFF_LICENCE)
string(REGEX REPLACE "^MIT License\n+" "" SRDIFF_LICENCE "${SRDIFF_LICENCE}")
string(REGEX MATCH "Copyright[^\n]*" SRDIFF_COPYRIGHT "${SRDIFF_LICENCE}")
string(REGEX REPLACE "^Copyright *(\\(c\\))? *" "" SRDIFF_COPYRIGHT "${SRDIFF_COPYRIGHT}")
string(REGEX REPLACE "\n+$" "" SRDIFF_LICENCE "${SRDIFF_LICENCE}")
string(REPLACE "\n" "\n " SRDIFF_LICENCE " ${SRDIFF_LICENCE}")
string(REGEX REPLACE "\n \n" "\n .\n" SRDIFF_LICENCE "${SRDIFF_LICENCE}")

# A paragraph a model: what it was trained on decides what it may be used for.
set(SRDIFF_MODEL_PARAGRAPHS "")
file(GLOB manifests CONFIGURE_DEPENDS models/*/manifest.json)
foreach(manifest ${manifests})
  file(READ "${manifest}" json)
  string(JSON name GET "${json}" name)
  string(JSON data ERROR_VARIABLE ignored GET "${json}" training data)
  string(JSON licence ERROR_VARIABLE ignored GET "${json}" training licence)
  string(APPEND SRDIFF_MODEL_PARAGRAPHS "
Files: usr/share/srdiff/models/${name}/*
Copyright: ${SRDIFF_COPYRIGHT}
License: Expat
Comment: ${licence}. Data: ${data}.
")
endforeach()

set(SRDIFF_COPYRIGHT_OF_MODELS "")
configure_file(cmake/package/copyright.in package/srdiff/copyright @ONLY)
set(SRDIFF_COPYRIGHT_OF_MODELS "${SRDIFF_MODEL_PARAGRAPHS}")
configure_file(cmake/package/copyright.in package/srdiff-models/copyright @ONLY)
srdiff_package_documents(program srdiff)
srdiff_package_documents(models srdiff-models)
install(FILES CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/srdiff COMPONENT program)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME srdiff)
set(CPACK_PACKAGE_VENDOR "srdiff")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package's description starts with its own
set(CPACK_PACKAGE_CONTACT "${SRDIFF_PACKAGE_CONTACT}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY "${CMAKE_BINARY_DIR}/packages")
set(CPACK_COMPONENTS_ALL program models)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_COMPRESSION_TYPE gzip)  # weights hardly shrink further

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME srdiff)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION graphics)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
# Not its reference BLAS, with which LibTorch multiplies 28 times more slowly.
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS "libopenblas0-pthread | libopenblas0")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS srdiff-models)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "python3, python3-matplotlib")  # plot_sweep.py
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "enlarge pictures by diffusion super-resolution
srdiff enlarges photographs and small faces with a diffusion model that
needs a handful of network evaluations: PNG, JPEG, WebP, TIFF, BMP,
JPEG XL, AVIF and HEIC, one picture or a folder of them, with their
metadata, on a processor.
The models are in the package srdiff-models.")

set(CPACK_DEBIAN_MODELS_PACKAGE_NAME srdiff-models)
set(CPACK_DEBIAN_MODELS_PACKAGE_SECTION graphics)
set(CPACK_DEBIAN_MODELS_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_MODELS_PACKAGE_ENHANCES srdiff)
set(CPACK_COMPONENT_MODELS_DESCRIPTION "models of srdiff: faces x8, photographs x4
The networks that srdiff enlarges pictures with, and a card for each that
says what it was trained on, how good it is and what it may be used for:
non-commercial research.")
include(CPack)
