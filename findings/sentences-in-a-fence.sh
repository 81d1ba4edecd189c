#!/usr/bin/env bash
# mdformat with its plugin for MyST takes a directive that is fenced by colons, as MyST's
# `colon_fence` extension has it, for a paragraph: it joins the fence with the text in it and
# escapes the brace. The directive is gone; the exit status is 0.
#
#   mdformat 1.0.0, mdformat-myst 0.3.0, Python 3.11 on Linux
#   in        :::{note}
#             One sentence.
#             :::
#   with --wrap=no, seen
#             :::\{note} One sentence. :::
#   so        pipeline/sentences.py breaks lines itself, by the tokens of markdown-it-py
#
# Fails if that has changed.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet mdformat==1.0.0 mdformat-myst==0.3.0
printf ':::{note}\nOne sentence.\n:::\n' >"$scratch/page.md"
"$scratch/venv/bin/mdformat" --wrap=no "$scratch/page.md"
cat "$scratch/page.md"
[ "$(cat "$scratch/page.md")" = ':::\{note} One sentence. :::' ]
