//! The hot spots of a kernel as a page of its own: no scripts, no other files.

use super::listing::Line;
use super::show::{Facts, figures};
use std::fmt::Write;

const STYLE: &str = "
:root { color-scheme: light dark; --paper: #fdfcf9; --ink: #23221f; --faint: #8a867d; --rule: #e4e0d6; --card: #f5f2ea;
  --heat: 214 82 36; }
@media (prefers-color-scheme: dark) { :root { --paper: #1a1a18; --ink: #dedbd2; --faint: #86837a; --rule: #34332f;
  --card: #232320; --heat: 232 106 56; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 100rem; padding: 2rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; font-weight: 650; margin: 0 0 1rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: .6rem; margin: 0 0 1.5rem; }
dl div { background: var(--card); border-radius: .5rem; padding: .55rem .8rem; }
dt { color: var(--faint); font-size: .8rem; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
nav { margin: 0 0 1.5rem; color: var(--faint); }
nav a { color: inherit; margin-right: .8rem; white-space: nowrap; }
.scroll { overflow-x: auto; border: 1px solid var(--rule); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font: 12.5px/1.45 ui-monospace, monospace; }
th { position: sticky; top: 0; background: var(--card); color: var(--faint); font-weight: 500; text-align: right;
  padding: .4rem .6rem; border-bottom: 1px solid var(--rule); }
th:last-child { text-align: left; }
td { padding: 0 .6rem; text-align: right; white-space: pre; color: var(--faint); font-variant-numeric: tabular-nums; }
td:last-child { text-align: left; color: var(--ink); width: 100%; }
tr.note td:last-child { color: var(--faint); }
tr.bad td.waste { color: rgb(var(--heat)); font-weight: 700; }
tr:target { outline: 2px solid rgb(var(--heat)); outline-offset: -2px; }
footer { color: var(--faint); margin-top: 1rem; font-size: .85rem; }
";

const HEADINGS: [&str; 9] =
    ["", "warps", "lanes", "sectors", "ideal", "wavefronts", "ideal", "cycles", "instruction"];

/// Hottest lines that are linked to.
const LINKS: usize = 12;

/// The page.
pub fn page(title: &str, facts: &Facts, lines: &[Line]) -> String {
    let hottest = share_of_hottest(lines);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{0}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n<dl>\n",
        escaped(title)
    );
    for (name, value) in facts {
        let _ = writeln!(page, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value));
    }
    page.push_str("</dl>\n");
    links(&mut page, lines);
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for heading in HEADINGS {
        let _ = write!(page, "<th>{heading}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for line in lines {
        row(&mut page, line, hottest);
    }
    page.push_str(
        "</tbody>\n</table></div>\n<footer>Warps that executed the line; active lanes; sectors of 32 bytes and wavefronts \
         of shared memory, and how many there would be at best; the part of all cycles, each line counted on the \
         pipe that it takes longest on.</footer>\n</body>\n</html>\n",
    );
    page
}

fn share_of_hottest(lines: &[Line]) -> f64 {
    lines.iter().filter_map(|line| line.did).map(|did| did.share).fold(0.0, f64::max)
}

/// Links to the hottest lines.
fn links(page: &mut String, lines: &[Line]) {
    let mut hot: Vec<(u32, f64)> = lines
        .iter()
        .filter_map(|line| Some((line.number, line.did.filter(|did| did.is_hot())?.share)))
        .collect();
    hot.sort_by(|a, b| b.1.total_cmp(&a.1));
    if hot.is_empty() {
        return;
    }
    page.push_str("<nav>Hottest lines: ");
    for (number, share) in hot.into_iter().take(LINKS) {
        let _ = write!(page, "<a href=\"#l{number}\">{number} ({:.1}%)</a> ", 100.0 * share);
    }
    page.push_str("</nav>\n");
}

fn row(page: &mut String, line: &Line, hottest: f64) {
    let did = line.did.unwrap_or_default();
    let wasteful =
        did.global.sectors > did.global.ideal_sectors || did.shared.wavefronts > did.shared.ideal_wavefronts;
    let class = match line.did {
        None => " class=\"note\"",
        Some(_) if wasteful => " class=\"bad\"",
        Some(_) => "",
    };
    let heat = if hottest > 0.0 { (did.share / hottest).sqrt() } else { 0.0 };
    let style = if heat > 0.02 {
        format!(" style=\"background: rgb(var(--heat) / {:.3})\"", 0.55 * heat)
    } else {
        String::new()
    };
    let _ = write!(page, "<tr id=\"l{0}\"{class}{style}><td>{0}</td>", line.number);
    let figures = line.did.map_or_else(Default::default, figures);
    for (column, figure) in figures.iter().enumerate() {
        let waste = if column == 2 || column == 4 { " class=\"waste\"" } else { "" };
        let _ = write!(page, "<td{waste}>{figure}</td>");
    }
    let _ = writeln!(page, "<td>{}</td></tr>", escaped(line.text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_stands_alone() {
        let lines = [Line { number: 1, text: "@%p bra <A> & \"B\";", did: None }];
        let page = page("k, m", &vec![("Calls", "1".into())], &lines);
        assert!(page.contains("@%p bra &lt;A&gt; &amp; &quot;B&quot;;"));
        assert!(!page.contains("http") && !page.contains("<script"));
        assert!(page.contains("prefers-color-scheme: dark"));
    }
}
