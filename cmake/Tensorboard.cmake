# Finds what writes files for TensorBoard (LUGE_TENSORBOARD = AUTO, ON, OFF): protobuf for the records, ISA-L for their
# checksums. Adds either core/luge/train/tensorboard/events.cpp or what stands in for it.

if(NOT LUGE_TENSORBOARD MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "LUGE_TENSORBOARD is '${LUGE_TENSORBOARD}'; allowed are AUTO, ON and OFF")
endif()
set(LUGE_HAS_TENSORBOARD OFF)
if(NOT LUGE_TENSORBOARD STREQUAL "OFF")
  pkg_check_modules(PROTOBUF_LITE QUIET IMPORTED_TARGET GLOBAL protobuf-lite)
  pkg_check_modules(ISAL QUIET IMPORTED_TARGET GLOBAL libisal)
  find_program(LUGE_PROTOC protoc)
  if(PROTOBUF_LITE_FOUND AND ISAL_FOUND AND LUGE_PROTOC)
    set(LUGE_HAS_TENSORBOARD ON)
    # Threads come from Threads::Threads; no file but two is compiled otherwise than without TensorBoard.
    set_target_properties(PkgConfig::PROTOBUF_LITE PROPERTIES INTERFACE_COMPILE_OPTIONS "")
  elseif(LUGE_TENSORBOARD STREQUAL "ON")
    message(FATAL_ERROR "LUGE_TENSORBOARD is ON, but protobuf or ISA-L was not found; on Debian: apt-get install libprotobuf-dev protobuf-compiler libisal-dev")
  endif()
endif()

function(luge_add_tensorboard target)
  set(folder ${PROJECT_SOURCE_DIR}/core/luge/train/tensorboard)
  if(NOT LUGE_HAS_TENSORBOARD)
    target_sources(${target} PRIVATE ${folder}/no_events.cpp)
    return()
  endif()
  set(made ${PROJECT_BINARY_DIR}/tensorboard)
  file(MAKE_DIRECTORY ${made})
  add_custom_command(OUTPUT ${made}/events.pb.cc ${made}/events.pb.h
                     COMMAND ${LUGE_PROTOC} --proto_path=${folder} --cpp_out=${made} events.proto
                     DEPENDS ${folder}/events.proto VERBATIM)
  target_sources(${target} PRIVATE ${folder}/events.cpp ${made}/events.pb.cc ${made}/events.pb.h)
  # protoc's code is not held to luge's warnings.
  set_source_files_properties(${made}/events.pb.cc PROPERTIES COMPILE_OPTIONS -w)
  set_source_files_properties(${folder}/events.cpp PROPERTIES COMPILE_OPTIONS "-isystem;${made}"
                              OBJECT_DEPENDS ${made}/events.pb.h)
  target_link_libraries(${target} PRIVATE PkgConfig::PROTOBUF_LITE PkgConfig::ISAL)
endfunction()
