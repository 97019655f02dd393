#pragma once
// Compiled code on disk, in $LUGE_CACHE, $XDG_CACHE_HOME/luge or ~/.cache/luge. Processes share it without locks:
// a file appears as a whole or not at all, and one that is damaged counts as absent. Where nothing can be written,
// code is compiled in every process.

#include <filesystem>
#include <optional>
#include <string>

namespace luge::cuda {

/// Empty where the environment names none.
std::filesystem::path cache_folder();

/// The code kept under this key, which is all that the code depends on.
std::optional<std::string> find_cached(const std::filesystem::path& folder, const std::string& key);

/// False where it cannot be written.
bool keep_cached(const std::filesystem::path& folder, const std::string& key, const std::string& code);

/// A file of this content, named after the kernel, in the folder or, where that cannot be written, among temporary files; for people to
/// read. Empty where neither can be written.
std::filesystem::path keep_source(const std::filesystem::path& folder, const char* kernel, const std::string& source);

/// The file of a key.
std::filesystem::path cache_file(const std::filesystem::path& folder, const std::string& key);

}  // namespace luge::cuda
