"""The ways to get autotrace, each used by a project that knows nothing but that way.

Every case builds the program in consumer/ (or configures targets/), in a folder of its own, and
looks at what a user would notice: the runtime is linked, and a traced run has the spans of the
program and of both of its libraries.
"""

import functools
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # noqa: E402
import span_tree  # noqa: E402

CONSUMER = HERE / "consumer"
RUNTIME = "libautotrace-cpp.so.0"
SKIPPED_STATUS = 77
CASES = {}


def case(*variants):
    """Registers a case, once per variant: its words are the arguments and end its name."""

    def register(function):
        for variant in variants or ("",):
            words = variant.split()
            name = ".".join([function.__name__, *words])
            CASES[name] = functools.partial(lambda words, context: function(context, *words), words)
        return function

    return register


EVERY_LINKER = ("gcc bfd", "gcc lld", "clang bfd", "clang lld")


class Context:
    """Where things are, and the verbs of the cases."""

    def __init__(self, paths, folder):
        self.folder = folder
        self.source = pathlib.Path(paths["source"])
        self.tree = pathlib.Path(paths["build"])
        self.build_type = paths["build_type"]
        self.prefix = pathlib.Path(paths["work"]) / "prefix"
        self.cmake = paths["cmake"]
        self.cpack = paths["cpack"]
        self.version = paths["version"]
        self.compilers = paths["compilers"]
        self.lld = pathlib.Path(paths["lld"])

    def linker_flags(self, family, linker):
        if linker == "bfd":
            return ["-fuse-ld=bfd"]
        # Clang takes a path; GCC looks for a program called ld.lld in the folders of -B.
        if family == "clang":
            return [f"--ld-path={self.lld}"]
        folder = self.folder / "linker"
        folder.mkdir(exist_ok=True)
        (folder / "ld.lld").symlink_to(self.lld)
        return ["-fuse-ld=lld", f"-B{folder}"]

    def configure(self, project, family, *options, prefix=None, link=()):
        c_compiler, cxx_compiler = self.compilers[family]
        flags = " ".join(link)
        return harness.output_of([
            self.cmake, "-S", project, "-B", self.folder / "build", "-G", "Ninja",
            f"-DCMAKE_C_COMPILER={c_compiler}", f"-DCMAKE_CXX_COMPILER={cxx_compiler}",
            "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
            f"-DCMAKE_EXE_LINKER_FLAGS={flags}", f"-DCMAKE_SHARED_LINKER_FLAGS={flags}",
            *([f"-DCMAKE_PREFIX_PATH={prefix}"] if prefix else []), *options])

    def build(self, *targets):
        # Only a few sources, but several cases run at once.
        harness.output_of([self.cmake, "--build", self.folder / "build", "--parallel", "2",
                           *(["--target", *targets] if targets else [])])
        return self.folder / "build" / "consumer"

    def compile_flags(self):
        """The words of each source's compile command, by the source's stem."""
        commands = json.loads((self.folder / "build/compile_commands.json").read_text())
        return {pathlib.Path(entry["file"]).stem: shlex.split(entry["command"])
                for entry in commands}

    def run_traced(self, program, autotracer, library_path=None, modules="shop,stock,billing"):
        """Runs the consumer's program; its spans as the text of their tree."""
        environment = harness.clean_environment() | {"AUTOTRACE_DIR": str(self.folder / "data")}
        if library_path:
            environment["LD_LIBRARY_PATH"] = str(library_path)
        traced = environment | {"AUTOTRACE_MODULES": modules}
        done = subprocess.run([program], cwd=self.folder, env=traced, capture_output=True,
                              text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "12\n", ""), done
        text = subprocess.run([autotracer, "export", "--to", "otlp-json"], cwd=self.folder,
                              env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        return span_tree.Forest(span_tree.parse_otlp(text)).text()

    def expect_all_spans(self, program, autotracer=None, **options):
        harness.expect_text(
            self.run_traced(program, autotracer or self.prefix / "bin/autotracer", **options), """
            shop::Order
              stock::Reserve
              billing::Charge
            """)


def needed_libraries(binary):
    dynamic = harness.output_of(["readelf", "-d", "-W", binary])
    return [line.split("[")[1].split("]")[0] for line in dynamic.splitlines() if "(NEEDED)" in line]


def expect_linked(binary):
    assert RUNTIME in needed_libraries(binary), needed_libraries(binary)


def expect_static(binary):
    segments = harness.output_of(["readelf", "-l", "-W", binary])
    assert "INTERP" not in segments and not needed_libraries(binary), segments


def expect_not_linked(binary):
    assert RUNTIME not in needed_libraries(binary), needed_libraries(binary)


def has_hooks(flags):
    return any(flag.startswith("-finstrument-functions") for flag in flags)


def hook_flags(context):
    """What autotrace_instrument() added to each source's command."""
    added = ("-finstrument-functions", "-fplugin", "-fpass-plugin")
    return {name: [flag for flag in flags if flag == "-g" or flag.startswith(added)]
            for name, flags in context.compile_flags().items()}


def has_plugin(flags):
    return any(flag.startswith("-fplugin=") for flag in flags)


def instrument_flags(autotracer, compiler, *options):
    return shlex.split(harness.output_of([autotracer, "flags", "--compiler", compiler, *options]))


def expect_plugins_installed(context):
    """Cases about plugins cannot run where the build found no headers for them."""
    if not list(context.prefix.glob("**/autotrace-cpp/*/autotrace.so")):
        print("no plugin was built")
        sys.exit(SKIPPED_STATUS)


def library_folder(prefix):
    found = list(prefix.glob(f"**/{RUNTIME}"))
    assert len(found) == 1, found
    return found[0].parent


def install(context):
    """What the fixture does; the cases find the result in context.prefix."""
    harness.output_of([context.cmake, "--install", context.tree, "--prefix", context.prefix])


@case(*EVERY_LINKER)
def package(context, family, linker):
    """find_package(autotrace)."""
    link = [*context.linker_flags(family, linker), "-Wl,--as-needed"]
    context.configure(CONSUMER, family, "-DCONSUMER_WAY=package", prefix=context.prefix, link=link)
    program = context.build()
    expect_linked(program)
    expect_linked(program.with_name("libbilling.so"))
    context.expect_all_spans(program)


@case("gcc options", "gcc pie", "gcc libraries", "gcc interface", "gcc flags", "gcc said",
      "clang options", "clang pie")
def static_package(context, family, way):
    """find_package(autotrace) in a project whose program is static."""
    flags = ["-static"] if way == "flags" else []
    context.configure(CONSUMER, family, "-DCONSUMER_WAY=package", f"-DCONSUMER_STATIC={way}",
                      prefix=context.prefix, link=flags)
    program = context.build()
    expect_static(program)
    context.expect_all_spans(program)


@case(*EVERY_LINKER)
def static_pkg_config(context, family, linker):
    """pkg-config for a static program, the runtime before the objects."""
    folder = library_folder(context.prefix)
    build_by_hand(context, context.compilers[family][1], context.prefix / "bin/autotracer",
                  pkg_config_flags(folder, "--cflags", "autotrace-cpp-record"),
                  ["-static", *pkg_config_flags(folder, "--libs", "autotrace-cpp-record")],
                  context.linker_flags(family, linker), billing="static")
    program = context.folder / "consumer"
    expect_static(program)
    context.expect_all_spans(program)


@case(*EVERY_LINKER)
def pkg_config(context, family, linker):
    """pkg-config and `autotracer flags`, the library before the objects."""
    compiler = context.compilers[family][1]
    folder = library_folder(context.prefix)
    build_by_hand(context, compiler, context.prefix / "bin/autotracer",
                  pkg_config_flags(folder, "--cflags"), pkg_config_flags(folder, "--libs"),
                  context.linker_flags(family, linker))
    program = context.folder / "consumer"
    expect_linked(program)
    context.expect_all_spans(program, library_path=f"{folder}:{context.folder}")


def pkg_config_flags(folder, option, package_name="autotrace-cpp"):
    done = subprocess.run(
        ["pkg-config", option, package_name], capture_output=True, text=True, check=True,
        env=harness.clean_environment() | {"PKG_CONFIG_LIBDIR": str(folder / "pkgconfig")})
    return shlex.split(done.stdout)


def build_by_hand(context, compiler, autotracer, cflags, libs, linker_flags, billing="shared"):
    hooks = instrument_flags(autotracer, compiler)

    def run(*words):
        harness.output_of([compiler, *words], cwd=context.folder)

    link = [*linker_flags, "-Wl,--as-needed", *libs]
    for name in ("shop", "stock", "billing"):
        run("-O2", "-fPIC", *cflags, *hooks, "-c", CONSUMER / f"{name}.cc")
    harness.output_of(["ar", "rc", "libstock.a", "stock.o"], cwd=context.folder)
    if billing == "shared":
        run("-shared", *link, "billing.o", "-o", "libbilling.so")
        billing = "libbilling.so"
    else:
        billing = "billing.o"
    run(*link, "shop.o", "libstock.a", billing, "-o", "consumer")


@case("gcc", "clang")
def flags_are_those_of_autotrace_instrument(context, family):
    context.configure(CONSUMER, family, "-DCONSUMER_WAY=package",
                      "-DCONSUMER_MODULES=shop;app::Map<int, long>", prefix=context.prefix)
    printed = harness.output_of([
        context.prefix / "bin/autotracer", "flags", "--cmake", "--compiler",
        context.compilers[family][1], "--modules", "shop", "--modules", "app::Map<int, long>"])
    expected = printed.strip().split(";")
    for name, hooks in hook_flags(context).items():
        assert hooks == expected, f"{name}: {hooks}, autotracer flags: {expected}"


@case("gcc", "clang")
def modules_choose_what_the_plugin_keeps(context, family):
    expect_plugins_installed(context)
    # The static library is compiled for whoever links it; the program's own name is all of it.
    for modules, expected in (("shop;billing", "shop::Order\n  billing::Charge\n"),
                              ("consumer", "main\n  shop::Order\n    stock::Reserve\n")):
        context.configure(CONSUMER, family, "-DCONSUMER_WAY=package",
                          f"-DCONSUMER_MODULES={modules}", prefix=context.prefix)
        program = context.build()
        assert all(has_plugin(flags) for flags in context.compile_flags().values())
        shutil.rmtree(context.folder / "data", ignore_errors=True)
        text = context.run_traced(program, context.prefix / "bin/autotracer", modules="*")
        harness.expect_text(text, expected)


@case("gcc", "clang")
def a_profile_is_compiled_in_and_followed(context, family):
    expect_plugins_installed(context)
    autotracer = context.prefix / "bin/autotracer"
    profile = context.folder / "short.profile"

    def write_profile(min_duration):
        harness.output_of([autotracer, "profile", "--dir", context.folder / "data", "-o", profile,
                           "--min-duration", min_duration])

    settings = ("-DCONSUMER_WAY=package", "-DCONSUMER_MODULES=*")
    context.configure(CONSUMER, family, *settings, prefix=context.prefix)
    context.expect_all_spans(context.build())
    write_profile("3600s")
    context.configure(CONSUMER, family, *settings, f"-DCONSUMER_PROFILE={profile}",
                      prefix=context.prefix)
    printed = harness.output_of([autotracer, "flags", "--cmake", "--compiler",
                                 context.compilers[family][1], "--modules", "*", "--profile",
                                 profile])
    for name, hooks in hook_flags(context).items():
        assert hooks == printed.strip().split(";"), f"{name}: {hooks}, {printed}"
    counted = harness.output_of([autotracer, "functions", context.build(), "--modules", "*"])
    assert "short in the profile that the compiler was given" in counted, counted
    # Nothing is short now. The build notices by itself.
    write_profile("1ns")
    context.expect_all_spans(context.build())


@case("gcc", "clang")
def without_a_plugin_every_function_has_hooks(context, family):
    expect_plugins_installed(context)
    context.configure(CONSUMER, family, "-DCONSUMER_WAY=package", "-DAUTOTRACE_PLUGIN=OFF",
                      prefix=context.prefix)
    flags = hook_flags(context)
    assert not any(has_plugin(words) for words in flags.values())
    context.expect_all_spans(context.build())

    prefix = context.folder / "prefix"
    shutil.copytree(context.prefix, prefix, symlinks=True)
    plugins = list(prefix.glob("**/autotrace-cpp/*/autotrace.so"))
    for plugin in plugins:
        plugin.write_bytes(b"no plugin\n")
    expect_no_plugin(context, family, prefix, flags, "does not work with this compiler")
    for plugin in plugins:
        plugin.unlink()
    expect_no_plugin(context, family, prefix, flags, "is installed")


def expect_no_plugin(context, family, prefix, flags, reason):
    """CMake and the command say why there is none, and do without."""
    shutil.rmtree(context.folder / "build")
    printed = context.configure(CONSUMER, family, "-DCONSUMER_WAY=package", prefix=prefix)
    assert reason in printed, printed
    assert hook_flags(context) == flags
    done = subprocess.run(
        [prefix / "bin/autotracer", "flags", "--compiler", context.compilers[family][1]],
        capture_output=True, text=True, check=True, env=harness.clean_environment())
    assert reason in done.stderr, done.stderr
    assert not has_plugin(shlex.split(done.stdout)), done.stdout


@case()
def fetch_content(context):
    """Added as a part of the project, whose global flags say that everything gets hooks."""
    context.configure(
        CONSUMER, "gcc", "-DCONSUMER_WAY=fetch_content", f"-DAUTOTRACE_SOURCE={context.source}",
        f"-DCMAKE_BUILD_TYPE={context.build_type}", "-DCMAKE_CXX_FLAGS=-finstrument-functions",
        # What the project was compiled with a moment ago is compiled again from the cache.
        *(["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if have("ccache") else []))
    flags = context.compile_flags()
    assert "shop" in flags and "catch_main" not in flags and "process_record" not in flags, flags
    ours = [words for words in flags.values() if any("/runtime/" in word for word in words[-1:])]
    assert ours and not any(has_hooks(words) for words in ours), ours
    # The project's own language level and warnings are its own business.
    assert not any(word.startswith(("-std=", "-Wall")) for word in flags["shop"]), flags["shop"]
    program = context.build("consumer")
    expect_linked(program)
    context.expect_all_spans(program)


def have(program):
    return any(os.access(pathlib.Path(folder) / program, os.X_OK)
               for folder in os.environ.get("PATH", "").split(":"))


@case()
def copied_file_with_package(context):
    configure_with_copied_file(context, prefix=context.prefix)
    program = context.build()
    expect_linked(program)
    context.expect_all_spans(program)


@case()
def copied_file_without_package(context):
    # A package of the same version that some user installed system-wide does not count.
    configure_with_copied_file(context, "-DCMAKE_DISABLE_FIND_PACKAGE_autotrace=ON")
    expect_untouched(context)


@case()
def copied_file_switched_off(context):
    configure_with_copied_file(context, "-DAUTOTRACE=OFF", prefix=context.prefix)
    expect_untouched(context)


@case()
def package_switched_off(context):
    context.configure(CONSUMER, "gcc", "-DCONSUMER_WAY=package", "-DAUTOTRACE=OFF",
                      prefix=context.prefix)
    expect_untouched(context)


def configure_with_copied_file(context, *options, **named):
    context.configure(CONSUMER, "gcc", "-DCONSUMER_WAY=copied_file",
                      f"-DAUTOTRACE_FILE={context.source}/cmake/autotrace.cmake", *options, **named)


def expect_untouched(context):
    for flags in context.compile_flags().values():
        assert not has_hooks(flags) and "-g" not in flags, flags
    program = context.build()
    expect_not_linked(program)
    assert harness.output_of([program]) == "12\n"


@case("gcc", "clang")
def static_libraries_are_covered(context, family):
    context.configure(HERE / "targets", family, prefix=context.prefix)
    flags = context.compile_flags()
    covered = {name for name in flags if has_hooks(flags[name])}
    assert covered == {
        "program", "direct", "direct_c", "below_private", "below_interface", "in_build_interface",
        "objects", "object_files", "public_below_shared", "named_below"}, covered
    assert flags["program"].count("-finstrument-functions-after-inlining") + \
        flags["program"].count("-finstrument-functions") == 1, flags["program"]
    assert "-g" in flags["direct"] and "-g" not in flags["named_below"]


@case()
def debian_packages(context):
    """Unpacked, they hold all that a project needs."""
    harness.output_of([context.cpack, "-G", "DEB", "--config", context.tree / "CPackConfig.cmake",
                       "-B", context.folder / "packages"])
    root = context.folder / "root"
    fields = {}
    names = ["libautotrace-cpp0", "libautotrace-cpp-dev", "autotracer"]
    has_plugins = bool(list(context.prefix.glob("**/autotrace-cpp/*/autotrace.so")))
    for name in names + ["autotrace-cpp-plugins"] * has_plugins:
        found = list((context.folder / "packages").glob(f"{name}_{context.version}_*.deb"))
        assert len(found) == 1, (name, found)
        fields[name] = control_fields(found[0])
        assert fields[name]["Package"] == name and fields[name]["Version"] == context.version
        harness.output_of(["dpkg", "-x", found[0], root])
        assert (root / "usr/share/doc" / name / "copyright").is_file()
    # What goes into other people's programs needs the C library only; what it may load, more.
    runtime = library_folder(root) / RUNTIME
    assert (library_folder(root) / "libautotrace-cpp-record.a").is_file()
    assert set(needed_libraries(runtime)) <= {"libc.so.6", "ld-linux-x86-64.so.2"}
    assert "libcurl4" in fields["libautotrace-cpp0"]["Depends"], fields
    assert f"libautotrace-cpp0 (= {context.version})" in fields["libautotrace-cpp-dev"]["Depends"]
    assert f"libautotrace-cpp0 (= {context.version})" in fields["autotracer"]["Depends"]

    context.configure(CONSUMER, "gcc", "-DCONSUMER_WAY=package", prefix=root / "usr")
    assert has_plugin(context.compile_flags()["shop"]) == has_plugins
    program = context.build()
    expect_linked(program)
    context.expect_all_spans(program, autotracer=root / "usr/bin/autotracer")


def control_fields(package_file):
    fields = {}
    for line in harness.output_of(["dpkg-deb", "--field", package_file]).splitlines():
        if not line.startswith(" "):
            name, _, value = line.partition(": ")
            fields[name] = value
    return fields
