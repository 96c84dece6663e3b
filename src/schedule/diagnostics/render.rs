//! Faults as people read them: the line, the span underlined, the hint.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Severity};

/// Wide enough that no line of a hand-written schedule is cut.
const WIDTH: usize = 200;

pub(super) fn render(diagnostics: &Diagnostics, colour: bool) -> String {
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
    .term_width(WIDTH);
    let mut out = String::new();
    for item in &diagnostics.items {
        let group = group(diagnostics, item);
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    // The renderer shows other control characters by their pictures. These it prints, and some
    // terminals take U+009B for the start of a command.
    out.replace(|c| ('\u{80}'..='\u{9f}').contains(&c), "\u{fffd}")
}

fn group<'a>(diagnostics: &'a Diagnostics, item: &'a Diagnostic) -> Group<'a> {
    let level = match item.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(
        level
            .primary_title(item.message.as_str())
            .id(item.code.as_str()),
    );
    if let Some(place) = item.place {
        // An empty span at the end of a file is shown as one caret.
        let span = place.start..place.end.max(place.start);
        let mut snippet = Snippet::source(diagnostics.text.as_str())
            .path(diagnostics.file.as_str())
            .annotation(AnnotationKind::Primary.span(span));
        for (place, label) in &item.also {
            let span = place.start..place.end;
            snippet = snippet.annotation(AnnotationKind::Context.span(span).label(label.as_str()));
        }
        group = group.element(snippet);
    }
    if let Some(hint) = &item.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    group
}
