package oracle;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.*;
import org.apache.flink.table.types.logical.LogicalType;

import java.io.PrintWriter;
import java.nio.file.*;
import java.util.*;

/**
 * What Flink answers to expressions over the rows of one table: --table FILE.sql (its CREATE TABLE, with a column id that counts
 * the rows from 0, and connector 'oracle-rows'), --rows FILE.jsonl, --in FILE (an expression a line), --out FILE.tsv.
 * A line of the answer: expression, type, one value for each row (one alone if all are equal). \N is NULL,
 * \E and the error is an error: of the expression in the place of its type, of a row in the place of its value.
 */
public class Expressions {
    static TableEnvironment env; static String table;

    /** An expression, and what it came to. */
    static class Asked { String text, type, error; Object[] values; }

    public static void main(String[] a) throws Exception {
        Map<String, String> args = new HashMap<>();
        for (int i = 0; i + 1 < a.length; i += 2) args.put(a[i], a[i + 1]);
        int batch = Integer.parseInt(args.getOrDefault("--batch", "40"));
        Rows.lines.addAll(Files.readAllLines(Paths.get(args.get("--rows"))));
        Configuration c = Cluster.start(1);
        c.setString("restart-strategy.type", "fixed-delay"); c.setString("restart-strategy.fixed-delay.attempts", "2"); c.setString("restart-strategy.fixed-delay.delay", "1 s");
        c.setString("table.optimizer.reuse-sub-plan-enabled", "false"); c.setString("table.optimizer.reuse-source-enabled", "false");
        env = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(c).build());
        String ddl = Files.readString(Paths.get(args.get("--table")));
        env.executeSql(ddl.replaceFirst("(?is)\\bWITH\\s*\\(.*", "WITH ('connector' = 'oracle-rows', 'format' = 'json')"));
        table = env.listTables()[0];
        List<Asked> all = new ArrayList<>();
        for (String line : Files.readAllLines(Paths.get(args.get("--in")))) { Asked x = new Asked(); x.text = line; all.add(x); }
        try (PrintWriter out = new PrintWriter(args.get("--out"), "UTF-8")) {
            for (int i = 0; i < all.size(); i += batch) {
                List<Asked> some = all.subList(i, Math.min(all.size(), i + batch));
                ask(some);
                for (Asked x : some) print(x, out);
                out.flush();
                System.out.println("[oracle] " + (i + some.size()) + " of " + all.size());
            }
        }
        System.exit(0);
    }

    static void ask(List<Asked> some) {
        List<Asked> valid = new ArrayList<>();
        for (Asked x : some) {
            try {
                // Alone first: its type, and its errors as they are.
                LogicalType type = env.sqlQuery("SELECT " + x.text + " AS v FROM " + table).getResolvedSchema().getColumnDataTypes().get(0).getLogicalType();
                x.type = type.asSummaryString();
                answer(x, 0).explain(); // code is generated too, so that one bad expression does not stop the others
                valid.add(x);
            } catch (Throwable e) { x.error = why(e); }
        }
        try { run(valid); } catch (Throwable e) {
            // Code that does not compile stops its own chain, and the job in the end, when the others have had their time.
            List<Asked> left = new ArrayList<>();
            for (Asked x : valid) if (x.values == null) left.add(x);
            for (Asked x : left) try { if (left.size() > 1) run(List.of(x)); else x.error = why(e); } catch (Throwable one) { x.error = why(one); }
        }
    }

    static TablePipeline answer(Asked x, int slot) {
        Schema schema = Schema.newBuilder().column("id", DataTypes.INT()).column("v", DataTypes.STRING()).build();
        return env.sqlQuery("SELECT id, CAST((" + x.text + ") AS STRING) AS v FROM " + table + " /*+ OPTIONS('slot' = '" + slot + "') */")
                .insertInto(TableDescriptor.forConnector("oracle-rows").schema(schema).option("slot", "" + slot).build());
    }

    static void run(List<Asked> valid) throws Exception {
        if (valid.isEmpty()) return;
        Rows.answers.clear(); Rows.ended.clear();
        StatementSet jobs = env.createStatementSet();
        for (int slot = 0; slot < valid.size(); slot++) {
            Object[] into = new Object[Rows.lines.size()]; Arrays.fill(into, new IllegalStateException("no answer"));
            Rows.answers.put(slot, into);
            jobs.add(answer(valid.get(slot), slot));
        }
        try { jobs.execute().await(); }
        finally { for (int slot : Rows.ended) valid.get(slot).values = Rows.answers.get(slot); }
    }

    static void print(Asked x, PrintWriter out) {
        StringBuilder line = new StringBuilder(x.text).append('\t');
        if (x.error != null) { out.println(line.append("\\E ").append(escape(x.error))); return; }
        line.append(x.type);
        String[] cells = new String[x.values.length];
        for (int i = 0; i < cells.length; i++) {
            Object v = x.values[i];
            cells[i] = v == null ? "\\N" : v instanceof Throwable ? "\\E " + escape(why((Throwable) v)) : escape((String) v);
        }
        boolean same = new HashSet<>(Arrays.asList(cells)).size() == 1;
        for (int i = 0; i < (same ? 1 : cells.length); i++) line.append('\t').append(cells[i]);
        out.println(line);
    }

    static String escape(String s) {
        StringBuilder b = new StringBuilder();
        for (char c : s.toCharArray()) {
            if (c == '\\') b.append("\\\\"); else if (c == '\t') b.append("\\t"); else if (c == '\n') b.append("\\n"); else if (c == '\r') b.append("\\r");
            else if (c < 32) b.append(String.format("\\x%02x", (int) c)); else b.append(c);
        }
        return b.toString();
    }

    /** The innermost cause, on one short line. */
    static String why(Throwable e) {
        while (e.getCause() != null && e.getCause() != e) e = e.getCause();
        String m = (e.getClass().getSimpleName() + ": " + e.getMessage()).replaceAll("\\s+", " ");
        return m.length() > 120 ? m.substring(0, 117) + "..." : m;
    }
}
