#!/usr/bin/env bash
# Builds the fuzzers as OSS-Fuzz wants them: one executable each in $OUT, with its seeds and dictionary.
# Runs inside the image gcr.io/oss-fuzz-base/base-builder-python, which brings atheris, PyInstaller and
# compile_python_fuzzer; $SRC/tokenwire is a checkout of this project.
#   docker run --rm -v "$PWD:/src/tokenwire" -v "$PWD/out:/out" -e FUZZING_LANGUAGE=python \
#     -e SANITIZER=address gcr.io/oss-fuzz-base/base-builder-python bash /src/tokenwire/fuzz/build.sh
set -euo pipefail
cd "${SRC:=/src}/tokenwire"
: "${OUT:=/out}"

python3 -m pip install '.[trio]' trustme
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
python3 -m fuzz.make_seeds "$seeds"

names=$(python3 -c 'from fuzz.inputs import HARNESSES; print(*HARNESSES)')
for name in $names; do
  # An executable has no `python -m`: a launcher of its own says which harness it is.
  printf 'import sys\nfrom fuzz.__main__ import fuzz\nfuzz("%s", sys.argv[1:])\n' "$name" \
    >"fuzz_$name.py"
  # PyInstaller doesn't see what is imported by name.
  compile_python_fuzzer "fuzz_$name.py" --paths . --hidden-import "fuzz.fuzz_$name" \
    --collect-submodules tokenwire
  rm "fuzz_$name.py"
  dictionary=$(python3 -c "from fuzz.inputs import dictionary_file; print(dictionary_file('$name'))")
  cp "$dictionary" "$OUT/fuzz_$name.dict"
  (cd "$seeds/$name" && zip -qr "$OUT/fuzz_${name}_seed_corpus.zip" .)
done
