"""Writes src/settings/flink_keys.txt: every SET key that Flink's own classes declare, one a line, an old spelling with what it is now.

    python3 -m venv ~/.cache/flink && ~/.cache/flink/bin/pip install --no-deps apache-flink-libraries   # Java 17 needed
    ~/.cache/flink/bin/python tests/flink_keys.py
"""

import importlib.util
import pathlib
import subprocess
import tempfile

JAVA = """
import java.lang.reflect.*;
import java.util.*;
import java.util.jar.*;
import org.apache.flink.configuration.*;

public class FlinkKeys {
    /** Options of tables, hints, reporters and tests: no SET keys, or keys below another one. */
    static final List<String> NOT_SET = List.of("/connector/", "/connectors/", "/formats/", "/factories/", "/file/table/", "/shaded/",
        "Reporter", "Internal", "LookupJoinHint", "VectorSearchRuntime", "LegacyCsv", "PythonDynamicTable", "ArrowTableSource", "SinkOptions",
        "GenericInMemoryCatalog", "CommonModule", "GPUDriver");

    public static void main(String[] jars) throws Exception {
        TreeMap<String, String> lines = new TreeMap<>();
        for (String jar : jars) {
            try (JarFile file = new JarFile(jar)) {
                for (JarEntry entry : Collections.list(file.entries())) {
                    String name = entry.getName();
                    boolean isOptions = name.startsWith("org/apache/flink/") && name.endsWith(".class") && !name.contains("$")
                        && (name.endsWith("Options.class") || name.startsWith("org/apache/flink/configuration/"));
                    if (!isOptions || NOT_SET.stream().anyMatch(name::contains)) continue;
                    for (Field field : Class.forName(name.replace('/', '.').replace(".class", "")).getDeclaredFields()) {
                        if (!Modifier.isStatic(field.getModifiers()) || field.getType() != ConfigOption.class) continue;
                        field.setAccessible(true);
                        ConfigOption<?> option = (ConfigOption<?>) field.get(null);
                        lines.put(option.key(), option.key());
                        for (FallbackKey old : option.fallbackKeys()) lines.putIfAbsent(old.getKey(), old.getKey() + " -> " + option.key());
                    }
                }
            }
        }
        // Parts of keys, below the name of a reporter, a resource or a function.
        lines.keySet().removeIf(key -> key.matches(".*[<#].*|(factory|filter|scope)[.].*|[a-zA-Z]+|output-mode|max-concurrent-operations"));
        lines.values().forEach(System.out::println);
    }
}
"""

libraries = pathlib.Path(importlib.util.find_spec("pyflink").submodule_search_locations[0])
jars = sorted(str(jar) for folder in ("lib", "opt", "plugins") for jar in (libraries / folder).rglob("*.jar"))
with tempfile.TemporaryDirectory() as folder:
    source = pathlib.Path(folder) / "FlinkKeys.java"
    source.write_text(JAVA)
    run = ["java", "-cp", ":".join(jars), str(source), *(jar for jar in jars if "flink" in pathlib.Path(jar).name)]
    keys = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout
target = pathlib.Path(__file__).parent.parent / "src" / "settings" / "flink_keys.txt"
target.write_text(keys)
print(f"{len(keys.splitlines())} keys written to {target}")
