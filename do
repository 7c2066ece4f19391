#!/bin/sh
# The one front door. `./do` alone says what it can do.
#
# A POSIX shell script and not a build file, because a fresh machine has neither make nor a
# compiler. It works on a minimal Debian 12 or 13 or Ubuntu 24.04, as root or with sudo, without
# git, without a terminal.
set -eu

from=$(pwd)
cd "$(dirname "$0")"
root=$(pwd)
build=$root/build
# The distribution's own Python is the one that its packages are installed for.
python=/usr/bin/python3

usage() {
    cat <<'END'
./do run [OPTION…]               build, set up an example on first start, serve on 127.0.0.1:8080
./do test [--quick]              install what the tests need, build, run every test; or, in three
                                 minutes, the quick part of them
./do build                       leave the release binary at build/jeton
./do lint                        formatting, clang-tidy, cppcheck, tidy
./do coverage                    how much of src/ the tests go through, by room
./do fuzz [TARGET [SECONDS]]     fuzz one parser, or `all` (60 seconds unless told); alone: list them
./do memcheck [SUITE…]           the unit tests under valgrind's memcheck
./do bench [WORKLOAD…]           measure, as ratios within one run
./do campaign [NAME…]            the long versions of the tests that break things, and what seeds
                                 faults to count those found; recorded in bench/CAMPAIGNS.md
./do screenshots [FOLDER]        take a picture of every page, into docs/screenshots unless told
./do install [PREFIX]            install binaries and units (PREFIX is /usr/local; DESTDIR is obeyed)
./do package                     build Debian packages, into build/package
./do manual                      make man pages and completion anew, from the help of the binary

Options of `run` are those of `jeton serve`; --data and --listen have the defaults ./var and
127.0.0.1:8080.
END
}

say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "do: $*"
    exit 1
}

# ---- packages -------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        die "needs root or sudo for: $*"
    fi
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

is_known() {
    [ -n "$(apt-cache policy "$1" 2>/dev/null | grep 'Candidate:' | grep -v '(none)')" ]
}

# section_lines NAME [FILE]: the lines of one section of tools/packages.txt, or of FILE.
section_lines() {
    sed -n "/^\[$1\]/,/^\[/p" "${2:-tools/packages.txt}" | grep -v -e '^\[' -e '^#' -e '^$'
}

# Prints the packages of the sections that are missing; fails when apt does not know one of them.
missing_packages() {
    for section in "$@"; do
        section_lines "$section" | while read -r names condition; do
            case $condition in
            unless:*) if command -v "${condition#unless:}" >/dev/null 2>&1; then continue; fi ;;
            esac
            optional=${names%"${names#\?}"}
            names=${names#\?}
            chosen=
            for name in $(printf '%s' "$names" | tr '|' ' '); do
                if is_installed "$name"; then
                    chosen=installed
                    break
                fi
                if [ -z "$chosen" ] && is_known "$name"; then
                    chosen=$name
                fi
            done
            case $chosen in
            installed) ;;
            '') [ -n "$optional" ] || printf 'unknown:%s\n' "$names" ;;
            *) printf '%s\n' "$chosen" ;;
            esac
        done
    done
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" \
        </dev/null >&2
}

# Test tools such as nginx and PostgreSQL are only wanted as programs: these files keep dpkg from
# starting them as services, and from making a cluster that the machine would start later.
held=
hold() {
    if [ ! -e "$1" ]; then
        as_root mkdir -p "${1%/*}"
        as_root tee "$1" >/dev/null
        as_root chmod "$2" "$1"
        held="$held $1"
    fi
}

services_hold() {
    trap 'services_release' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | hold /usr/sbin/policy-rc.d 755
    case " $1 " in
    *" postgresql "*)
        echo 'create_main_cluster = false' |
            hold /etc/postgresql-common/createcluster.d/jeton-test.conf 644
        ;;
    esac
}

services_release() {
    # The names are split into words on purpose.
    # shellcheck disable=SC2086
    [ -z "$held" ] || as_root rm -f $held
    held=
    trap - EXIT HUP INT TERM
}

install_packages() {
    missing=$(missing_packages "$@" | sort -u)
    if [ -z "$missing" ]; then
        return 0
    fi
    command -v apt-get >/dev/null 2>&1 ||
        die "this machine has no apt-get; install by hand: $(printf '%s ' $missing)"
    # Without package lists apt knows no name, and may not know that a newer version replaced one.
    if printf '%s\n' "$missing" | grep -q '^unknown:'; then
        apt_get update || die "apt-get update failed"
        missing=$(missing_packages "$@" | sort -u)
        if printf '%s\n' "$missing" | grep -q '^unknown:'; then
            die "this distribution has no package $(printf '%s\n' "$missing" | sed -n 's/^unknown://p' | tr '\n' ' ')"
        fi
    fi
    [ -n "$missing" ] || return 0
    say "do: installing $(printf '%s ' $missing)"
    services_hold "$(printf '%s ' $missing)"
    status=0
    # The names are split into words on purpose.
    # shellcheck disable=SC2086
    apt_get install -y --no-install-recommends $missing || {
        apt_get update && apt_get install -y --no-install-recommends $missing
    } || status=1
    services_release
    [ "$status" -eq 0 ] || die "apt-get could not install: $(printf '%s ' $missing)"
}

# ---- building -------------------------------------------------------------------------------

# compile NAME [MESON OPTION…]: a build folder build/NAME, configured once. `wanted` names a target
# where not all of them are.
wanted=
compile() {
    folder=$build/$1
    shift
    mkdir -p "$build"
    if [ ! -f "$folder/build.ninja" ]; then
        rm -rf "$folder"
        meson setup "$folder" "$root" "$@" >"$build/setup.log" 2>&1 </dev/null || {
            tail -n 20 "$build/setup.log" >&2
            return 1
        }
    fi
    # One word at most, and none for all.
    # shellcheck disable=SC2086
    ninja -C "$folder" $wanted >"$build/compile.log" 2>&1 </dev/null || {
        grep -v '^\[' "$build/compile.log" >&2
        return 1
    }
}

release() {
    # A newer compiler may warn of more: that is for ./do test, not for who wants to run it.
    compile release --buildtype=release -Db_lto=true -Dwerror=false -Dtests=disabled || return 1
    for program in src/daemon/jeton src/fetch/jeton-fetch src/store/jeton-postgres.so; do
        name=build/${program##*/}
        if [ ! -e "$name" ] || [ "build/release/$program" -nt "$name" ]; then
            strip -o "$name.new" "build/release/$program" && mv "$name.new" "$name" || return 1
        fi
    done
}

build_release() {
    install_packages build
    release || die "the build failed; the reason is above"
}

# ---- run ------------------------------------------------------------------------------------

random_hex() {
    od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

# Administrator, service, client and user of the example, in an empty folder. The folder has the
# file example.env when this is done, and example.part when it was interrupted.
example_setup() {
    mkdir -p "$1"
    chmod 700 "$1"
    admin_password=$(random_hex 12)
    alice_password=$(random_hex 12)
    service_secret=$(random_hex 20)
    client_secret=$(random_hex 20)
    (
        umask 077
        : >"$1/example.json"
        cat >"$1/example.part" <<END
# Made by ./do run on first start; later starts print the same lines from it.
EXAMPLE_USER=alice
EXAMPLE_PASSWORD=$alice_password
EXAMPLE_SERVICE=uslicer.iponweb.com
EXAMPLE_SERVICE_SECRET=$service_secret
EXAMPLE_CLIENT=demo
EXAMPLE_CLIENT_SECRET=$client_secret
END
    )
    printf '%s' "$admin_password" | build/jeton user add admin --data "$1" --password-stdin \
        --full-name Administrator --admin >&2
    printf '%s' "$alice_password" | build/jeton user add alice --data "$1" --password-stdin \
        --full-name 'Alice Example' >&2
    printf '%s' "$service_secret" | build/jeton service add uslicer.iponweb.com --data "$1" \
        --name 'u-Slicer (example)' --scope 'slicer.read slicer.write' --allow-password \
        --secret-stdin >&2
    printf '%s' "$client_secret" | build/jeton client add demo --data "$1" --secret-stdin \
        --grant client_credentials --grant password --grant refresh_token \
        --service uslicer.iponweb.com >&2
    mv "$1/example.part" "$1/example.env"
}

# A listen address as a client on this machine would write it.
client_address() {
    case $1 in
    \*:* | 0.0.0.0:*) printf '127.0.0.1:%s' "${1##*:}" ;;
    '[::]:'*) printf '[::1]:%s' "${1##*:}" ;;
    *) printf '%s' "$1" ;;
    esac
}

example_print() {
    . "$1/example.env"
    url=http://$(client_address "$2")
    keep=$1/example.json
    token="\$(sed 's/.*\"access_token\": *\"//; s/\".*//' '$keep')"
    cat <<END

Jeton serves $url. Three lines to try, in another shell:

  get a token, as u-Auth's documents say (it is kept in $keep too):
curl -sS $url/oauth2/token/ -d grant_type=password -d username=$EXAMPLE_USER -d password=$EXAMPLE_PASSWORD -d scope=service_id=$EXAMPLE_SERVICE | tee '$keep'

  ask, as the service that the token is for, whether it is good:
curl -sS -u $EXAMPLE_SERVICE:$EXAMPLE_SERVICE_SECRET $url/oauth2/introspect --data-urlencode "token=$token"

  revoke it; then ask again:
curl -sS -i $url/oauth2/revoke -d client_id=public_client --data-urlencode "token=$token"

END
    if [ -n "$admin_password" ]; then
        cat <<END
The first administrator is \`admin\` with the password $admin_password (printed this once).
END
    fi
    cat <<END
The example client is \`$EXAMPLE_CLIENT\` with the secret $EXAMPLE_CLIENT_SECRET; all of the above but the
administrator's password is in $1/example.env.
END
}

# Waits for the server, which becomes process $$ by exec, and then prints the lines.
example_announce() {
    url=http://$(client_address "$2")
    tries=0
    while kill -0 $$ 2>/dev/null && [ "$tries" -lt 300 ]; do
        if curl -sf -o /dev/null --max-time 2 "$url/readyz"; then
            example_print "$1" "$2"
            return 0
        fi
        tries=$((tries + 1))
        sleep 0.1
    done
}

do_run() {
    data=$root/var
    data_said=
    listen=
    plain=yes
    config=no
    tls=no
    # Each option is taken from the front and, but for --data, put back at the end.
    count=$#
    while [ "$count" -gt 0 ]; do
        option=$1
        shift
        count=$((count - 1))
        case $option in
        --data | --listen)
            [ "$count" -gt 0 ] || die "$option needs a value"
            option=$option=$1
            shift
            count=$((count - 1))
            ;;
        esac
        case $option in
        --data=*)
            data=${option#*=}
            case $data in /*) ;; *) data=$from/$data ;; esac
            data_said=yes
            continue
            ;;
        --listen=*) [ -n "$listen" ] || listen=${option#*=} ;;
        --tls-listen*) tls=yes ;;
        --config*) config=yes ;;
        esac
        set -- "$@" "$option"
    done
    install_packages build run
    build_release
    # With a configuration file nothing is added: it says where and what.
    if [ "$config" = yes ]; then
        [ -z "$data_said" ] || set -- --data="$data" "$@"
        exec build/jeton serve "$@"
    fi
    if [ -z "$listen" ] && [ "$tls" = yes ]; then
        plain=no
    elif [ -z "$listen" ]; then
        listen=127.0.0.1:8080
        set -- --listen="$listen" "$@"
    fi
    case $listen in unix:* | fd:* | *:0) plain=no ;; esac
    # Another server on this address would answer for ours.
    if [ "$plain" = yes ] && curl -s -o /dev/null --max-time 2 "http://$(client_address "$listen")/"; then
        die "something else serves $listen already: stop it, or give another address with --listen"
    fi
    admin_password=
    if [ -f "$data/example.part" ]; then
        die "the first start was interrupted half-way: remove $data and start again"
    fi
    if [ ! -d "$data" ] || [ -z "$(ls -A "$data")" ]; then
        say "do: first start: making an administrator and a small example in $data"
        example_setup "$data"
    fi
    if [ -f "$data/example.env" ]; then
        if [ "$plain" = yes ]; then
            example_announce "$data" "$listen" &
        elif [ -n "$admin_password" ]; then
            say "The first administrator is \`admin\` with the password $admin_password (printed this once)."
        fi
    fi
    exec build/jeton serve --data "$data" "$@"
}

# ---- test -----------------------------------------------------------------------------------

# Debian 12's Authlib does not know RFC 9068: there, a newer one goes into a folder of its own. When
# it cannot be fetched, the tests that need it are skipped.
test_python() {
    if $python -c 'import authlib.oauth2.rfc9068' 2>/dev/null; then
        return 0
    fi
    if [ ! -e build/venv/complete ]; then
        rm -rf build/venv
        $python -m venv --system-site-packages build/venv &&
            build/venv/bin/python -m pip install -q --no-input -r test/requirements.txt >&2 &&
            touch build/venv/complete || {
            say "do: no newer Authlib: its tests will be skipped"
            return 0
        }
    fi
    python=$build/venv/bin/python
}

# Schemathesis goes into a folder of its own as well.
test_openapi_tool() {
    if [ ! -e build/openapi/complete ]; then
        rm -rf build/openapi
        $python -m venv build/openapi &&
            build/openapi/bin/python -m pip install -q --no-input -r test/requirements-openapi.txt >&2 &&
            touch build/openapi/complete ||
            say "do: no Schemathesis: its tests will be skipped"
    fi
}

phase() {
    say ""
    say "== $*${started:+, after $(($(date +%s) - started)) s}"
}

# note NAME STATUS: one check that has no counts of its own.
note() {
    if [ "$2" -eq 0 ]; then
        echo "1 passed, 0 failed" >"$results/$1.count"
    else
        echo "0 passed, 1 failed" >"$results/$1.count"
    fi
}

# Other releases of clang-format lay out a little differently.
has_formatter() {
    command -v clang-format-14 >/dev/null 2>&1 || {
        say "clang-format-14 is not here: formatting is not checked"
        return 1
    }
}

format_check() {
    find src test bench -name '*.[ch]' -type f -print0 |
        xargs -0 -r clang-format-14 --dry-run --Werror >"$results/format.log" 2>&1 || {
        grep -m 20 'error:' "$results/format.log" >&2 || cat "$results/format.log" >&2
        return 1
    }
}

# The build that is tested.
tested=$build/asan

# run_meson NAME COMMAND…: COMMAND runs unit tests of that build and logs to NAME.json.
run_meson() {
    name=$1
    shift
    "$@" -C "$tested" --no-rebuild --print-errorlogs --logbase "$name" \
        >"$results/$name.log" 2>&1 </dev/null || true
    grep -v '^ninja:' "$results/$name.log" >&2 || true
    if [ -f "$tested/meson-logs/$name.json" ]; then
        mv "$tested/meson-logs/$name.json" "$results/$name.json"
    else
        note "$name" 1
    fi
}

# run_pytest ENGINE NAME SECONDS [OPTION…] FOLDER…: against the binary of that build; NAME.xml has the
# result. What takes longer than so many seconds has failed. A run on PostgreSQL starts a cluster of
# its own and stops it (test/conftest.py).
run_pytest() {
    engine=$1
    name=$2
    seconds=$3
    shift 3
    plain=$build/jeton
    [ "$tested" != "$build/quick" ] || plain=$tested/src/daemon/jeton
    JETON_BINARY=$tested/src/daemon/jeton JETON_BINARY_PLAIN=$plain \
        JETON_TEST_STORE=$engine PYTHONDONTWRITEBYTECODE=1 \
        timeout -k 30 "$seconds" $python -m pytest -q --basetemp="$TMPDIR/$name" \
        --junit-xml="$results/$name.xml" "$@" </dev/null >&2 || true
    [ -f "$results/$name.xml" ] || note "$name" 1
}

# Where threads share something, under ThreadSanitizer: the unit tests of the rooms that have threads,
# and the black-box files that are about races. test/tsan.txt has what is left out, and why.
test_threads() {
    tested=$build/tsan
    slow=$(section_lines slow tools/threads.txt)
    # The lists are split into words on purpose.
    # shellcheck disable=SC2046
    run_meson threads env TSAN_OPTIONS="suppressions=$root/test/tsan.txt" meson test -t 5 \
        $(meson test -C "$tested" --list --no-suite fuzz \
            $(section_lines rooms tools/threads.txt | sed 's/^/--suite /') 2>/dev/null |
            sed 's|.* / ||' | grep -v -x -F "$slow")
    # shellcheck disable=SC2046
    run_pytest sqlite threads_served 300 -m 'not alone' -n "$(nproc)" --dist loadfile \
        $(section_lines files tools/threads.txt)
    tested=$build/asan
}

# Each target for half a minute or ten seconds, as many beside each other as there are processors.
test_fuzz() {
    fuzz_status=0
    compile_fuzz || fuzz_status=1
    note build_fuzz "$fuzz_status"
    [ "$fuzz_status" -eq 0 ] || return 0
    $python test/fuzz/run.py build/fuzz/test/fuzz 30 --rest 10 --found build/found \
        --junit "$results/fuzz.xml" >&2 || true
    [ -f "$results/fuzz.xml" ] || note fuzz_came_to_no_result 1
}

# What tests write goes into TMPDIR, and leaves with it.
test_begin() {
    started=$(date +%s)
    results=$build/results
    rm -rf "$results"
    mkdir -p "$results"
    TMPDIR=$(mktemp -d)
    export TMPDIR
    trap 'rm -rf "$TMPDIR"' EXIT
    trap 'exit 1' HUP INT TERM
}

test_text() {
    phase "tidy"
    $python tools/tidy.py >"$results/tidy.log" 2>&1 || true
    cat "$results/tidy.log" >&2
    tail -n 1 "$results/tidy.log" | sed 's/^tidy: //' >"$results/tidy.count"

    phase "format"
    if has_formatter; then
        status=0
        format_check || status=1
        note format "$status"
    fi
}

test_end() {
    say ""
    say "== $(($(date +%s) - started)) s"
    $python tools/count_tests.py "$results"
}

# What takes under three minutes: one build, the unit tests but for those named in tools/quick.txt,
# and the black-box files named there. For while one works; `./do test` is what counts.
do_test_quick() {
    install_packages build run test
    test_begin
    test_text
    phase "gcc"
    tested=$build/quick
    status=0
    compile quick --buildtype=debug -Dwerror=false -Dtests=enabled || status=1
    note build_gcc "$status"
    if [ "$status" -eq 0 ]; then
        phase "unit tests"
        slow=$(section_lines slow tools/quick.txt)
        # Both lists are split into words on purpose.
        # shellcheck disable=SC2046
        run_meson unit meson test $(meson test -C "$tested" --list 2>/dev/null |
            sed 's|.* / ||' | grep -v -x -F "$slow")
        phase "black-box tests"
        # shellcheck disable=SC2046
        run_pytest sqlite sqlite 300 -m 'not alone' -n "$(nproc)" --dist loadfile \
            $(section_lines files tools/quick.txt)
    fi
    test_end
}

do_test() {
    case ${1:-} in
    '') ;;
    --quick)
        do_test_quick
        return
        ;;
    *) die "test takes no option but --quick" ;;
    esac
    install_packages build run test package fuzz
    mkdir -p "$build"
    test_openapi_tool
    test_python
    test_begin
    test_text

    phase "gcc, AddressSanitizer and UndefinedBehaviorSanitizer"
    status=0
    compile asan --buildtype=debugoptimized -Db_sanitize=address,undefined -Dtests=enabled || status=1
    note build_gcc "$status"
    if [ "$status" -eq 0 ]; then
        phase "unit tests"
        run_meson unit meson test
        phase "unit tests of the store, on PostgreSQL"
        run_meson unit_postgresql env JETON_TEST_STORE=postgresql \
            $python test/blackbox/postgres.py meson test --suite store
    fi

    phase "clang, ThreadSanitizer"
    clang_status=0
    CC=clang compile tsan --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false \
        -Dtests=enabled || clang_status=1
    note build_clang "$clang_status"
    if [ "$clang_status" -eq 0 ]; then
        test_threads
    fi
    phase "every fuzz target, half a minute or ten seconds each"
    test_fuzz

    phase "release"
    release_status=0
    release || release_status=1
    note build_release "$release_status"

    if [ "$status" -eq 0 ] && [ "$release_status" -eq 0 ]; then
        phase "black-box tests, and clients that others wrote"
        run_pytest sqlite sqlite 3600 -m 'not alone' -n "$(nproc)" --dist loadfile \
            --ignore=test/nodes --ignore=test/package test
        phase "black-box tests, on PostgreSQL"
        run_pytest postgresql postgresql 1800 -m 'not alone' -n "$(nproc)" --dist loadfile \
            test/blackbox
        phase "tests that compare times, alone"
        run_pytest sqlite sqlite_alone 600 -m alone test/blackbox test/fault
        run_pytest postgresql postgresql_alone 300 -m alone test/blackbox
        phase "several nodes, and outages of their database"
        run_pytest sqlite nodes 900 test/nodes
        phase "packages, on a Debian of their own"
        package_status=0
        (do_package >&2) || package_status=1
        note build_package "$package_status"
        if [ "$package_status" -eq 0 ]; then
            JETON_PACKAGES=$build/package run_pytest sqlite package 600 test/package
        fi
    fi
    test_end
}

# ---- the others -----------------------------------------------------------------------------

# How much of src/ the unit tests and the black-box tests go through, the store on both engines; the
# floors are in tools/coverage.txt. Takes half an hour; test/coverage/dump.c says how caged processes
# tell what they ran.
do_coverage() {
    install_packages build run test
    mkdir -p "$build"
    TMPDIR=$(mktemp -d)
    export TMPDIR
    trap 'rm -rf "$TMPDIR"' EXIT
    trap 'exit 1' HUP INT TERM
    tested=$build/coverage
    # Without optimization, which makes branches and removes others. With names of GNU C, so that fork
    # and execv write first what was run; and counting exactly what threads run at once.
    compile coverage --buildtype=debug -Doptimization=0 -Db_coverage=true -Dc_std=gnu17 \
        -Dc_args=-fprofile-update=atomic -Dwerror=false -Dtests=enabled ||
        die "it does not build"
    find "$tested" -name '*.gcda' -exec rm -f {} +
    meson test -C "$tested" --no-rebuild --quiet >&2 || say "do: some unit tests failed"
    JETON_TEST_STORE=postgresql $python test/blackbox/postgres.py meson test --suite store -C "$tested" \
        --no-rebuild --quiet >&2 || say "do: some unit tests failed on PostgreSQL"
    export JETON_BINARY="$tested/src/daemon/jeton" JETON_BINARY_PLAIN="$tested/src/daemon/jeton"
    export PYTHONDONTWRITEBYTECODE=1
    $python -m pytest -q -m 'not alone' -n "$(nproc)" --dist loadfile --basetemp="$TMPDIR/pytest" \
        test/blackbox </dev/null >&2 || say "do: some tests failed"
    $python -m pytest -q -m 'not alone' -n "$(nproc)" --dist loadfile --basetemp="$TMPDIR/nodes" \
        test/nodes/test_feed.py test/nodes/test_outages.py test/nodes/test_pgbouncer.py \
        test/nodes/test_standby.py </dev/null >&2 || say "do: some tests of several servers failed"
    $python tools/coverage.py "$tested" --floors
}

# Each warning as "file option"; those of tools/analyzer.txt were looked at and are none.
analyze() {
    rm -rf "$build/analyzer"
    CC=gcc compile analyzer --buildtype=debugoptimized -Dtests=disabled -Dwerror=false -Dc_args=-fanalyzer || return 1
    cp "$build/compile.log" "$results/analyzer.log"
    sed -n -e 's|^.*\(src/[^:]*\):[0-9].*\[\(-Wanalyzer-[a-z-]*\)\]$|\1 \2|p' \
        -e 's|^cc1: .*\[\(-Wanalyzer-[a-z-]*\)\]$|cc1 \1|p' "$results/analyzer.log" | sort -u >"$results/analyzer.found"
    grep -v '^#' tools/analyzer.txt | sort -u | comm -23 "$results/analyzer.found" - | grep . && return 1
    return 0
}

do_lint() {
    install_packages build lint
    results=$build/results
    mkdir -p "$results"
    failed=0
    phase "tidy"
    $python tools/tidy.py || failed=1
    phase "format"
    if has_formatter; then
        format_check || failed=1
    fi
    phase "clang-tidy"
    CC=clang compile lint --buildtype=debugoptimized -Dtests=disabled || failed=1
    find src -name '*.c' -print0 |
        xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p "$build/lint" 2>"$results/clang-tidy.log" ||
        failed=1
    phase "gcc -fanalyzer"
    analyze || failed=1
    phase "cppcheck"
    cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
        --suppress=missingIncludeSystem --suppressions-list=tools/cppcheck.txt -I src \
        -j "$(nproc)" src || failed=1
    [ "$failed" -eq 0 ] || die "lint found something"
}

compile_fuzz() {
    wanted=fuzzers
    CC=clang compile fuzz --buildtype=debugoptimized -Dfuzz=true -Db_sanitize=address,undefined \
        -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link -Dtests=disabled || {
        wanted=
        return 1
    }
    wanted=
}

do_fuzz() {
    install_packages build fuzz
    mkdir -p "$build"
    compile_fuzz || die "the build failed; the reason is above"
    if [ $# -eq 0 ]; then
        find "$build/fuzz/test/fuzz" -name '*_fuzz' -type f | sed 's|.*/||; s|_fuzz$||' | sort
        return 0
    fi
    # What is found is kept outside of the source; what broke a target goes into build/found.
    if [ "$1" = all ]; then
        exec $python test/fuzz/run.py build/fuzz/test/fuzz "${2:-60}" --keep build/corpus --found build/found
    fi
    binary=$build/fuzz/test/fuzz/$1_fuzz
    [ -x "$binary" ] || die "no fuzz target $1; ./do fuzz lists them"
    mkdir -p "$build/corpus/$1" "$build/found"
    words=
    [ ! -f "test/fuzz/$1.dict" ] || words=-dict=test/fuzz/$1.dict
    # One word at most, and none where there is no dictionary.
    # shellcheck disable=SC2086
    exec "$binary" -max_total_time="${2:-60}" -artifact_prefix="$build/found/$1-" $words \
        "$build/corpus/$1" "test/fuzz/corpus/$1"
}

# The unit tests where each read of memory that nobody wrote is reported, as is each leak.
do_memcheck() {
    install_packages build test
    mkdir -p "$build"
    CC=gcc compile memcheck --buildtype=debug -Doptimization=g -Dtests=enabled -Dwerror=false ||
        die "the build failed; the reason is above"
    count=$#
    while [ "$count" -gt 0 ]; do
        set -- "$@" --suite "$1"
        shift
        count=$((count - 1))
    done
    # The list is split into words on purpose.
    # shellcheck disable=SC2046
    set -- $(meson test -C "$build/memcheck" --list --no-suite fuzz "$@" 2>/dev/null |
        sed 's|.* / ||' | grep -v -x -F "$(section_lines memcheck tools/threads.txt)")
    status=0
    meson test -C "$build/memcheck" --no-rebuild --print-errorlogs -t 20 \
        --wrapper "valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --track-origins=yes" \
        "$@" >"$build/memcheck.log" 2>&1 </dev/null || status=1
    cat "$build/memcheck.log"
    # The last line is what a campaign records. What is skipped says so above.
    sed -n 's/^\(Ok\|Fail\|Timeout\): *\([0-9]*\).*/\1 \2/p' "$build/memcheck.log" | tr '\n' ' ' |
        awk '{ printf "%d passed, %d failed\n", $2, $4 + $6 }'
    return "$status"
}

do_bench() {
    install_packages build run bench
    build_release
    exec $python bench/run.py "$@"
}

do_campaign() {
    install_packages build run test
    build_release
    JETON_BINARY=${JETON_BINARY:-$build/jeton} JETON_BINARY_PLAIN=${JETON_BINARY_PLAIN:-$build/jeton} \
        PYTHONDONTWRITEBYTECODE=1 exec $python test/fault/campaign.py "$@"
}

do_install() {
    prefix=${1:-/usr/local}
    target=${DESTDIR:-}$prefix
    build_release
    as_root install -D -m 755 build/jeton "$target/bin/jeton"
    as_root install -D -m 755 build/jeton-fetch "$target/libexec/jeton/jeton-fetch"
    as_root install -D -m 644 build/jeton-postgres.so "$target/lib/jeton/jeton-postgres.so"
    for unit in jeton.service jeton.socket; do
        sed "s|/usr/bin/jeton|$prefix/bin/jeton|g" "packaging/$unit" >"$build/$unit"
        as_root install -D -m 644 "$build/$unit" "$target/lib/systemd/system/$unit"
    done
    [ -e "${DESTDIR:-}/etc/jeton/jeton.yaml" ] ||
        as_root install -D -m 644 packaging/jeton.yaml "${DESTDIR:-}/etc/jeton/jeton.yaml"
    as_root install -D -m 644 packaging/jeton.sysusers "$target/lib/sysusers.d/jeton.conf"
    for page in docs/man/*.[0-9]; do
        as_root install -D -m 644 "$page" "$target/share/man/man${page##*.}/${page##*/}"
    done
    as_root install -D -m 644 packaging/completion/jeton.bash \
        "$target/share/bash-completion/completions/jeton"
    as_root install -D -m 644 packaging/completion/_jeton "$target/share/zsh/site-functions/_jeton"
    as_root install -D -m 644 packaging/completion/jeton.fish \
        "$target/share/fish/vendor_completions.d/jeton.fish"
    # Names of ours, without a blank.
    for page in LICENSE README.md CHANGELOG.md SECURITY.md \
        $(find docs -type f ! -path 'docs/man/parts/*' ! -path 'docs/screenshots/*'); do
        as_root install -D -m 644 "$page" "$target/share/doc/jeton/$page"
    done
}

# ---- manual ---------------------------------------------------------------------------------

do_manual() {
    build_release
    $python tools/manpages.py build/jeton
    $python tools/completion.py build/jeton
}

# ---- package --------------------------------------------------------------------------------

# The files that make up the source: what git knows of, or all of an unpacked archive.
list_source() {
    git ls-files -co --exclude-standard 2>/dev/null || find . -type f ! -path './build*' ! -path './.git/*' ! -path './var/*'
}

do_package() {
    install_packages build package
    version=$(cat VERSION)
    where=$build/package
    source=$where/jeton-$version
    rm -rf "$where"
    mkdir -p "$source"
    list_source | tar -cf - -T - | tar -xf - -C "$source"
    cp -R packaging/debian "$source/debian"
    cp packaging/jeton.service packaging/jeton.socket "$source/debian/"
    cp packaging/jeton.sysusers "$source/debian/jeton.sysusers"
    # The changes are told in CHANGELOG.md; this names the version that is built.
    epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
    printf 'jeton (%s-1) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' "$version" \
        'The Jeton developers <developers@jeton.invalid>' "$(date -u -R -d "@$epoch")" \
        >"$source/debian/changelog"
    (cd "$source" && SOURCE_DATE_EPOCH=$epoch dpkg-buildpackage -b -us -uc) >"$where/build.log" 2>&1 || {
        tail -n 40 "$where/build.log" >&2
        die "the packages could not be built; all of it is in build/package/build.log"
    }
    rm -rf "$source"
    for package in "$where"/*.deb; do
        case $package in *-dbgsym_*) rm "$package" ;; *) printf '%s\n' "${package#"$root/"}" ;; esac
    done
}

# ---- screenshots ----------------------------------------------------------------------------

do_screenshots() {
    install_packages build run test
    build_release
    $python tools/screenshots.py "$@"
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
run) do_run "$@" ;;
test) do_test "$@" ;;
build) build_release ;;
lint) do_lint ;;
coverage) do_coverage ;;
fuzz) do_fuzz "$@" ;;
memcheck) do_memcheck "$@" ;;
bench) do_bench "$@" ;;
campaign) do_campaign "$@" ;;
screenshots) do_screenshots "$@" ;;
install) do_install "$@" ;;
package) do_package ;;
manual) do_manual ;;
help | -h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
