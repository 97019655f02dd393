#include <luge/report/report.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include <luge/base/detail/check.h>
#include <luge/io/detail/file.h>
#include <luge/report/detail/gnuplot.h>
#include <luge/report/detail/machine.h>

namespace luge::report {
namespace {

/// What a page shows its text in; the pictures take it over, so that they suit light and dark.
constexpr const char* kInk = "#010203";
/// The same as gnuplot writes it, in lines and in text.
constexpr const char* kInkInSvg[] = {"rgb(  1,   2,   3)", "rgb(1,2,3)"};

constexpr const char* kPreamble = R"gp(# luge draws this with: gnuplot {0}.gp
set terminal svg size 900,480 dynamic enhanced font "DejaVu Sans,Verdana,sans-serif,15" linewidth 1.2 name "{0}"
set output "{0}.svg"
set datafile separator comma
set datafile missing "nan"
set encoding utf8
set border 3 lc rgb "{1}" lw 1
set tics nomirror out textcolor rgb "{1}" scale 0.6
set grid lc rgb "#809090a0" lw 0.6 dt solid
set xlabel textcolor rgb "{1}"
set ylabel textcolor rgb "{1}"
set key textcolor rgb "{1}" samplen 2 spacing 1.15
set style fill solid 0.9 noborder
set minussign
)gp";

constexpr const char* kPage = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --page: #f7f8fa; --card: #ffffff; --ink: #1c2430; --soft: #5b6675; --line: #dde2e9; --accent: #2563eb; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --page: #12161c; --card: #1a2028; --ink: #e4e9f0; --soft: #9aa6b5; --line: #2d3540; --accent: #7ab0ff; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, "DejaVu Sans", Verdana, sans-serif; }}
main {{ max-width: 980px; margin: 0 auto; padding: 2.2rem 1.2rem 3rem; }}
h1 {{ font-size: 1.75rem; line-height: 1.25; margin: 0 0 .4rem; }}
h2 {{ font-size: 1.1rem; margin: 0 0 .6rem; }}
.summary {{ color: var(--soft); margin: 0 0 1.6rem; }}
section {{ background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.1rem 1.3rem; margin: 0 0 1.2rem; }}
section p {{ margin: .5rem 0 0; color: var(--soft); font-size: .93rem; }}
figure {{ margin: 0; color: var(--ink); }}
figure svg {{ display: block; width: 100%; height: auto; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .22rem 1.1rem .22rem 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }}
th {{ color: var(--soft); font-weight: 600; }}
.left {{ text-align: left; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 0; font-size: .92rem; }}
dt {{ color: var(--soft); }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
.warning {{ border-left: 4px solid #e0a100; }}
a {{ color: var(--accent); }}
ul {{ margin: 0; padding-left: 1.2rem; font-size: .92rem; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p class="summary">{summary}</p>
{warning}{pictures}{tables}<section><h2>Files</h2><ul>
{files}</ul></section>
</main>
</body>
</html>
)html";

std::string escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += c;
    }
  }
  return result;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// A picture as part of a page: without the XML prologue, with names of its own, in the page's ink.
std::string inlined(const std::string& file, const std::string& name) {
  std::ifstream in(file);
  std::ostringstream all;
  all << in.rdbuf();
  std::string svg = all.str();
  const std::size_t start = svg.find("<svg");
  if (start == std::string::npos) return {};
  svg.erase(0, start);
  for (const char* const ink : kInkInSvg) replace_all(svg, ink, "currentColor");
  replace_all(svg, "color=\"black\"", "color=\"currentColor\"");
  for (const char* const reference : {" id='", " id=\"", "'#", "url(#"})
    replace_all(svg, reference, reference + name + "_");
  return svg;
}

}  // namespace

void require_folder(const std::string& directory) {
  LUGE_CHECK(IoError, !directory.empty(), "report: cannot make the folder '': the path is empty");
  LUGE_CHECK(IoError, directory.find('\0') == std::string::npos,
             "report: cannot make the folder '{}...': the path holds a zero byte", directory.c_str());
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  LUGE_CHECK(IoError, !failure, "report: {}: cannot make the folder: {}", directory, failure.message());
  const std::filesystem::path probe = std::filesystem::path(directory) / ".luge-report";
  std::ofstream out(probe, std::ios::binary);
  out.put('\n');
  out.close();
  LUGE_CHECK(IoError, !out.fail(), "report: {}: cannot write to the folder: {}", directory, std::strerror(errno));
  std::filesystem::remove(probe, failure);
}

Report::Report(std::string directory, std::string title, std::string summary)
    : directory_(std::move(directory)), title_(std::move(title)), summary_(std::move(summary)) {
  require_folder(directory_);
}

std::string Report::path(std::string_view file) const { return (std::filesystem::path(directory_) / file).string(); }

void Report::write_file(std::string_view file, std::string_view text) {
  OutputFile out("report", path(file));
  out.write(text.data(), text.size());
  out.commit();
}

void Report::add_facts(std::string heading, std::vector<std::pair<std::string, std::string>> facts) {
  tables_ += fmt::format("<section><h2>{}</h2><dl>\n", escape(heading));
  for (const auto& [name, value] : facts)
    tables_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value));
  tables_ += "</dl></section>\n";
}

void Report::add_table(std::string heading, const Table& table) {
  tables_ += fmt::format("<section><h2>{}</h2><div class=\"scroll\"><table>\n<tr>", escape(heading));
  const auto style = [&](std::size_t c) { return table.columns()[c].left ? " class=\"left\"" : ""; };
  for (std::size_t c = 0; c < table.columns().size(); ++c)
    tables_ += fmt::format("<th{}>{}</th>", style(c), escape(table.columns()[c].name));
  tables_ += "</tr>\n";
  for (const auto& row : table.rows()) {
    tables_ += "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c) tables_ += fmt::format("<td{}>{}</td>", style(c), escape(row[c]));
    tables_ += "</tr>\n";
  }
  tables_ += "</table></div></section>\n";
}

void Report::add_plot(const Plot& plot) {
  std::error_code ignored;
  const std::string picture = plot.name + ".svg", script = plot.name + ".gp";
  std::filesystem::remove(path(picture), ignored);
  write_file(script, fmt::format(fmt::runtime(kPreamble), plot.name, kInk) + plot.script);
  DrawingError error = run_gnuplot(directory_, script);
  const std::string svg = error.empty() ? inlined(path(picture), plot.name) : std::string();
  if (svg.empty()) {
    if (error.empty()) error = "gnuplot wrote no picture " + picture;
    if (trouble_.empty()) trouble_ = error;  // once is enough where gnuplot is missing altogether
    return;
  }
  pictures_ += fmt::format("<section><h2>{}</h2><figure>{}</figure><p>{}</p></section>\n", escape(plot.title), svg,
                           escape(plot.caption));
  add_file(picture, plot.title);
}

void Report::add_file(std::string file, std::string what) {
  files_ += fmt::format("<li><a href=\"{0}\">{0}</a>: {1}</li>\n", escape(file), escape(what));
}

Written Report::finish(Device device) {
  add_facts("Machine", machine_facts(device));
  std::string warning;
  if (!trouble_.empty())
    warning = fmt::format(
        "<section class=\"warning\"><h2>No pictures</h2><p>{}. The data and the scripts of the pictures are "
        "there.</p></section>\n",
        escape(trouble_));
  write_file("index.html",
             fmt::format(fmt::runtime(kPage), fmt::arg("title", escape(title_)), fmt::arg("summary", escape(summary_)),
                         fmt::arg("warning", warning), fmt::arg("pictures", pictures_), fmt::arg("tables", tables_),
                         fmt::arg("files", files_)));
  return {path("index.html"), trouble_};
}

}  // namespace luge::report
