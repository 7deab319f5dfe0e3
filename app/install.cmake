# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` and `cpack` put in place: the program, libaccsim with its headers and
# accsim.pc, the shipped machines and nets, the record's schema, the manual page.
set(data ${CMAKE_INSTALL_DATADIR}/accsim)

# All rooms in one library. Its own calls stay inside it, whatever a program calls its functions.
option(BUILD_SHARED_LIBS "libaccsim as a shared library" ON)
foreach(room ${ACCSIM_ROOMS})
  list(APPEND objects $<TARGET_OBJECTS:${room}>)
endforeach()
add_library(libaccsim ${objects})
set_target_properties(libaccsim PROPERTIES OUTPUT_NAME accsim LINKER_LANGUAGE CXX
                      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(libaccsim PRIVATE
                      PkgConfig::GLIB PkgConfig::LIBCONFIG PkgConfig::SYSTEMC PkgConfig::OPENBLAS
                      PkgConfig::JANSSON PkgConfig::LIBZIP PkgConfig::LAPACKE PkgConfig::PROTOBUFC
                      PkgConfig::PNG PkgConfig::JPEG PkgConfig::ZLIB Threads::Threads m)
if(BUILD_SHARED_LIBS)
  target_link_options(libaccsim PRIVATE LINKER:-Bsymbolic)
endif()

# Public is what these include, at whatever remove: runs, reports, operators' attributes.
set(public app/run/accsim.h reports/report.h workloads/ref/ref.h workloads/ops/ops.h
    workloads/ops/elementwise.h workloads/ops/layout.h workloads/ops/matrix.h
    workloads/ops/neural.h)
set(left ${public})
while(left)
  list(POP_FRONT left header)
  file(STRINGS ${PROJECT_SOURCE_DIR}/${header} includes REGEX "^#include \"")
  list(TRANSFORM includes REPLACE "^#include \"(.*)\".*" "\\1")
  if(header MATCHES "\\.def$") # lists of lists
    list(FILTER includes INCLUDE REGEX "\\.def$")
  endif()
  list(REMOVE_ITEM includes ${public} "")
  list(APPEND public ${includes})
  list(APPEND left ${includes})
endwhile()
list(TRANSFORM public PREPEND ${PROJECT_SOURCE_DIR}/)
target_sources(libaccsim PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${public})

file(RELATIVE_PATH ACCSIM_PC_TO_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
     ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" ACCSIM_PC_TO_PREFIX "${ACCSIM_PC_TO_PREFIX}")
configure_file(app/accsim.pc.in accsim.pc @ONLY)

file(GLOB machines CONFIGURE_DEPENDS arch/*/*.cfg)
install(TARGETS accsim-cli libaccsim
        FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/accsim)
install(FILES ${PROJECT_BINARY_DIR}/accsim.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${machines} DESTINATION ${data}/arch)
file(GLOB figures CONFIGURE_DEPENDS arch/*/reference.csv)
foreach(file ${figures}) # one folder has all machines
  get_filename_component(family ${file} DIRECTORY)
  get_filename_component(family ${family} NAME)
  install(FILES ${file} DESTINATION ${data}/arch RENAME ${family}-reference.csv)
endforeach()
install(DIRECTORY workloads/nets/ DESTINATION ${data}/nets)
install(FILES reports/accsim-run-1.schema.json DESTINATION ${data})
install(FILES docs/accsim.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

find_program(DPKG_SHLIBDEPS dpkg-shlibdeps)
mark_as_advanced(DPKG_SHLIBDEPS)
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "the accsim authors <accsim@localhost>")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
if(DPKG_SHLIBDEPS)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON) # with it, the loader's cache is refreshed
endif()
include(CPack)
