# SRDIFF_COMMIT: the commit that is built, "-dirty" behind it where files differ; empty outside git.
set(SRDIFF_COMMIT "")
find_program(SRDIFF_GIT git)
# A source tree inside another project's repository must not get that project's commit.
if(SRDIFF_GIT AND EXISTS "${PROJECT_SOURCE_DIR}/.git")
  execute_process(COMMAND "${SRDIFF_GIT}" describe --always --dirty --exclude=*
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE SRDIFF_COMMIT
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
