#!/usr/bin/env python3
"""The Debian packages, each unpacked into a folder of its own and tried there.

    tests/install/packages.py DIR                    DIR holds the .deb files
    tests/install/packages.py --build BUILD WORK     makes them from a finished build first

What the computer has no program for (lintian, man, zsh, fish, dpkg-shlibdeps) is named as skipped.
"""
import contextlib
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SMALL = ["run", "default", "--set", "model=stories260k", "--set", "workload.tokens=1"]
COMPONENTS = ["formats", "golden", "axi_dpi", "bus", "hw", "testbench"]
skipped = []


def call(words, status=0, **options):
    """What it printed, both streams."""
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != status:
        sys.exit(f"FAILED: {' '.join(str(w) for w in words)}: status {done.returncode}, expected {status}\n{done.stdout}")
    return done.stdout


def expect(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")


def has_terminals():
    """Whether a pseudo terminal can be opened: zsh completes in an interactive shell only. Without /dev/pts there is none."""
    try:
        for end in os.openpty():
            os.close(end)
    except OSError as error:
        print(f"SKIPPED: completion of zsh: no pseudo terminal ({error.strerror})")
        return False
    return True


def has(program):
    if shutil.which(program):
        return True
    skipped.append(program)
    return False


def environment(**more):
    """Without what would lead to another Harmonia."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HARMONIA") and k not in ("PYTHONPATH", "PKG_CONFIG_PATH")}
    return {**kept, **more}


class Packages:
    def __init__(self, folder, work):
        self.work = work
        self.files = {}
        for file in sorted(pathlib.Path(folder).glob("*.deb")):
            self.files[call(["dpkg-deb", "--field", file, "Package"]).strip()] = file

    def unpacked(self, *names):
        """A root with these packages unpacked, at a path that no build knew."""
        root = self.work / ("root-" + "-".join(names))
        if not root.exists():
            for name in names:
                call(["dpkg-deb", "--extract", self.files[name], root])
        return root

    def field(self, name, field):
        return call(["dpkg-deb", "--field", self.files[name], field]).strip()

    def contents(self, name):
        lines = call(["dpkg-deb", "--contents", self.files[name]]).splitlines()
        return [line.split(None, 5)[5].split(" -> ")[0] for line in lines]


def there_are_five_packages_that_depend_on_what_they_need(p):
    expect(set(p.files) == {"harmonia", "libharmonia0", "libharmonia-dev", "harmonia-doc", "python3-harmonia"}, f"packages are {sorted(p.files)}")
    version = p.field("harmonia", "Version")
    for name in p.files:
        expect(p.field(name, "Version") == version, f"{name} has version {p.field(name, 'Version')}, harmonia {version}")
        documents = [c for c in p.contents(name) if c.startswith(f"./usr/share/doc/{name}/")]
        for document in ("copyright", "changelog.Debian.gz"):
            expect(any(c.endswith("/" + document) for c in documents), f"{name} has no {document}")
    if has("dpkg-shlibdeps"):
        for library in ("libc6", "libsystemc", "libyaml-cpp", "libboost-iostreams"):
            expect(library in p.field("harmonia", "Depends"), f"harmonia does not depend on {library}: {p.field('harmonia', 'Depends')}")
        expect("libc6" in p.field("libharmonia0", "Depends"), "libharmonia0 does not depend on libc6")
    expect(f"libharmonia0 (= {version})" in p.field("libharmonia-dev", "Depends"), "libharmonia-dev does not depend on its libraries")
    # `apt install ./harmonia_*.deb` alone must do.
    expect("harmonia" not in p.field("harmonia", "Depends"), "harmonia depends on another package of its own")
    owners = {}
    for name in p.files:
        for path in p.contents(name):
            if not path.endswith("/"):
                expect(path not in owners, f"{path} is in {name} and in {owners.get(path)}")
                owners[path] = name


def the_program_finds_its_data_wherever_it_is_moved(p):
    root = p.work / "moved" / "deep down"
    shutil.copytree(p.unpacked("harmonia"), root, symlinks=True)
    program = root / "usr/bin/harmonia"
    data = root / "usr/share/harmonia"
    expect(str(data / "workloads") in call([program, "doctor"], env=environment()), "built-ins are not those beside the program")
    output = p.work / "result"
    text = call([program, *SMALL, "-o", output], env=environment(), cwd="/")
    expect("Time per output token" in text or "token" in text, f"the run printed no table:\n{text}")
    result = (output / "result.json").read_text()
    expect(json.loads(result)["latency"], "the result has no latencies")
    # `require` is Python beside the program.
    text = call([program, "require", "default", "--set", "model=stories260k", "--set", "workload.tokens=1", "--target", "tokens_per_s=1", "--free", "accelerator.dram.channels"],
                env=environment(), cwd=p.work)
    expect("tokens_per_s" in text, f"require said:\n{text}")


def every_command_has_a_man_page(p):
    root = p.unpacked("harmonia")
    pages = sorted((root / "usr/share/man/man1").iterdir())
    listed = re.findall(r"^  ([a-z]+) +[A-Z]", call([root / "usr/bin/harmonia", "help"], env=environment()), re.M)
    expect(len(listed) > 15, f"the help lists {listed}")
    expect({page.name for page in pages} == {"harmonia.1.gz"} | {f"harmonia-{c}.1.gz" for c in listed}, f"pages are {[page.name for page in pages]}")
    if has("man"):
        for page in pages:
            text = call(["man", "--warnings", "-l", page], env=environment(LC_ALL="C.UTF-8", MANROFFSEQ="", MANPAGER="cat", MANWIDTH="100"))
            expect("EXIT STATUS" in text and "warning" not in text, f"{page.name}:\n{text}")


def the_shells_complete_commands_and_names(p):
    root = p.unpacked("harmonia")
    share = root / "usr/share"
    path = f"{root}/usr/bin:{os.environ['PATH']}"
    bash = share / "bash-completion/completions/harmonia"
    text = call(["bash", "-c", f"compopt() {{ :; }}; . '{bash}'; COMP_WORDS=(harmonia run prefill); COMP_CWORD=2; _harmonia; echo ${{COMPREPLY[@]}}"], env=environment(PATH=path))
    expect(text == "prefill-2k\n", f"bash completes 'harmonia run prefill' to {text!r}")
    if has("fish"):
        home = p.work / "fish"
        home.mkdir()
        fish = share / "fish/vendor_completions.d/harmonia.fish"
        for line, wanted in (("harmonia comp", ["compare", "completion"]), ("harmonia run prefill", ["prefill-2k"]), ("harmonia run --qu", ["--quiet"]),
                             ("harmonia dram --config DDR4-32", ["DDR4-3200"])):
            text = call(["fish", "--no-config", "-c", f"source '{fish}'; complete -C '{line}'"], env=environment(PATH=path, HOME=str(home)))
            found = [entry.split("\t")[0] for entry in text.splitlines()]
            expect(found == wanted, f"fish completes '{line}' to {found}, expected {wanted}")
    if has("zsh") and has_terminals():
        folders = [f for f in (share / "zsh/vendor-completions", share / "zsh/site-functions") if f.is_dir()]
        for line, wanted in (("harmonia comp", ["compare", "completion"]), ("harmonia run prefill", ["prefill-2k"]), ("harmonia run --qu", ["--quiet"]),
                             ("harmonia dram --config DDR4-32", ["DDR4-3200"])):
            text = call(["zsh", "-f", HERE / "complete.zsh", folders[0], line, wanted[-1]], env=environment(PATH=path, TERM="xterm"))
            for word in wanted:
                expect(word in text.split(), f"zsh completes '{line}' to {text!r}, expected {wanted}")


def python_imports_the_module_and_finds_program_and_library(p):
    root = p.unpacked("harmonia", "libharmonia0", "python3-harmonia")
    code = ("import harmonia; r = harmonia.run('default', {'model': 'stories260k', 'workload.tokens': 1}); print(harmonia.__file__, harmonia.program(), r['bound']);"
            "g = harmonia.Golden(); print(g.bfp_decode(g.bfp_encode([1.0, -0.5, 3.14159]), 3))")
    modules = root / "usr/lib/python3/dist-packages"
    text = call([sys.executable, "-B", "-c", code], env=environment(PYTHONPATH=str(modules)), cwd="/")
    expect(str(modules) in text and str(root / "usr/bin/harmonia") in text and "[1.0, -0.5, 3.140625]" in text, f"Python said:\n{text}")


def projects_build_against_the_development_package(p, cxx, cc):
    root = p.unpacked("harmonia", "libharmonia0", "libharmonia-dev")
    build = p.work / "consumer"
    common = ["-G", "Ninja", f"-DCMAKE_PREFIX_PATH={root}/usr", f"-DCMAKE_CXX_COMPILER={cxx}", f"-DCMAKE_C_COMPILER={cc}"]
    call(["cmake", "-S", HERE / "consumer", "-B", build, f"-DEXAMPLES={HERE.parents[1] / 'examples'}", *common], env=environment())
    call(["cmake", "--build", build], env=environment())
    for program in ("use_formats", "use_bus", "use_hw", "use_testbench", "use_golden"):
        call([build / program], env=environment())
    # Each component alone, spelled as people spell it; C alone must do for the golden functions.
    for component in COMPONENTS:
        folder = p.work / ("component-" + component)
        folder.mkdir()
        languages = "C" if component in ("golden", "axi_dpi") else "C CXX"
        (folder / "CMakeLists.txt").write_text(
            f"cmake_minimum_required(VERSION 3.22)\nproject(one LANGUAGES {languages})\nset(CMAKE_CXX_STANDARD 17)\nfind_package(Harmonia 0.1 REQUIRED COMPONENTS {component})\n"
            + (f"add_executable(one {HERE}/consumer/use_golden.c)\ntarget_link_libraries(one harmonia::golden)\n" if component == "golden" else
               f"add_executable(one {HERE}/consumer/use_{component}.cpp)\ntarget_link_libraries(one harmonia::{component})\n" if component != "axi_dpi" else ""))
        call(["cmake", "-S", folder, "-B", folder / "build", *common], env=environment())
        call(["cmake", "--build", folder / "build"], env=environment())
    (folder / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.22)\nproject(one LANGUAGES C)\nfind_package(Harmonia REQUIRED COMPONENTS golden lasers)\n")
    text = call(["cmake", "-S", folder, "-B", folder / "none", *common], status=1, env=environment())
    expect("unknown component 'lasers'" in text, f"find_package said:\n{text}")
    if has("pkg-config"):
        configs = ":".join(glob.glob(f"{root}/usr/lib/**/pkgconfig", recursive=True))
        for component in COMPONENTS:
            name = "harmonia-" + component.replace("_", "-")
            flags = call(["pkg-config", "--cflags", "--libs", name], env=environment(PKG_CONFIG_PATH=configs)).split()
            if component == "axi_dpi":
                continue
            compiler, source = (cc, "use_golden.c") if component == "golden" else (cxx, f"use_{component}.cpp")
            program = p.work / name
            libraries = next(f[2:] for f in flags if f.startswith("-L"))
            call([compiler, HERE / "consumer" / source, *(["-std=c++17"] if compiler == cxx else []), "-o", program, *flags], env=environment())
            call([program], env=environment(LD_LIBRARY_PATH=libraries))


def links_of_the_documentation_lead_to_files_of_the_package(p):
    root = p.unpacked("harmonia-doc") / "usr/share/doc/harmonia"
    pages = sorted(root.rglob("*.md"))
    expect(len(pages) > 20, f"harmonia-doc has {len(pages)} pages")
    for page in pages:
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" in link or link.startswith("mailto:"):
                continue
            target = (page.parent / link).resolve()
            inside = target.is_relative_to(root)
            # Links from docs/ into the sources lead to no file here; those among pages must.
            expect(target.exists() or not (inside and link.endswith(".md")), f"{page.relative_to(root)} links to {link}, which is not in the package")


def removing_the_packages_leaves_nothing(p):
    if os.geteuid() != 0 and not has("fakeroot"):
        return
    root = p.work / "installed"
    for folder in ("info", "updates", "triggers"):
        (root / "var/lib/dpkg" / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text("")
    (root / "var/lib/dpkg/available").write_text("")
    dpkg = [*(["fakeroot"] if os.geteuid() != 0 else []), "dpkg", f"--root={root}", f"--log={p.work}/dpkg.log", "--force-depends", "--force-not-root", "--force-script-chrootless"]
    call([*dpkg, "--install", *p.files.values()], env=environment())
    expect((root / "usr/bin/harmonia").exists() and (root / "usr/lib/python3/dist-packages/harmonia").is_dir(), "dpkg installed no program")
    call([*dpkg, "--purge", *p.files], env=environment())
    left = [str(f) for f in root.rglob("*") if f.relative_to(root).parts[0] != "var" and not f.is_dir()]
    expect(not left and not (root / "usr").exists(), f"purging left {left or sorted(root.iterdir())}")


def lintian_finds_no_error(p):
    if not has("lintian"):
        return
    user = ["--allow-root"] if os.geteuid() == 0 else []
    text = call(["lintian", *user, "--fail-on", "error", *p.files.values()], env=environment(LC_ALL="C.UTF-8"))
    warnings = [line for line in text.splitlines() if line.startswith("W:")]
    print(f"lintian: no error, {len(warnings)} warnings")
    for line in warnings:
        print("  " + line)


def main(arguments):
    with contextlib.ExitStack() as stack:
        cxx, cc = os.environ.get("CXX", "c++"), os.environ.get("CC", "cc")
        if arguments[:1] == ["--build"]:
            build, work = (pathlib.Path(a).resolve() for a in arguments[1:])
            cache = (build / "CMakeCache.txt").read_text()
            if re.search(r"^HARMONIA_SANITIZE:[A-Z]+=(?!OFF$).+", cache, re.M) or re.search(r"^HARMONIA_COVERAGE:BOOL=ON", cache, re.M):
                print("SKIPPED: the libraries of a sanitized build need its flags in every consumer")
                return
            # Each component's program is built twice, and by each run of this test.
            if shutil.which("ccache"):
                os.environ.setdefault("CMAKE_CXX_COMPILER_LAUNCHER", "ccache")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            stack.callback(shutil.rmtree, work, ignore_errors=True)
            call(["cpack", "-G", "DEB", "--config", build / "CPackConfig.cmake", "-B", work / "cpack", "-D", "CPACK_THREADS=0", "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=gzip"], cwd=work)
            debs = work / "cpack"
        else:
            debs = pathlib.Path(arguments[0]).resolve()
            work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="harmonia-packages-")))
        p = Packages(debs, work)
        there_are_five_packages_that_depend_on_what_they_need(p)
        the_program_finds_its_data_wherever_it_is_moved(p)
        every_command_has_a_man_page(p)
        the_shells_complete_commands_and_names(p)
        python_imports_the_module_and_finds_program_and_library(p)
        links_of_the_documentation_lead_to_files_of_the_package(p)
        removing_the_packages_leaves_nothing(p)
        lintian_finds_no_error(p)
        projects_build_against_the_development_package(p, cxx, cc)
        print("the packages work" + (f"; not tried without these programs: {', '.join(dict.fromkeys(skipped))}" if skipped else ""))


if __name__ == "__main__":
    main(sys.argv[1:])
