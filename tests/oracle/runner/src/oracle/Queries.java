package oracle;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.*;
import org.apache.flink.table.catalog.Column;

import java.nio.file.*;
import java.util.*;

/**
 * What Flink answers to many queries over the same few tables: --tables FILE.sql, --in FILE (a query a line), --out DIR. Query n
 * leaves its changelog in DIR/n, or its error in DIR/n.error.
 */
public class Queries {
    static TableEnvironment env; static Path out;

    public static void main(String[] a) throws Exception {
        Map<String, String> args = new HashMap<>();
        for (int i = 0; i + 1 < a.length; i += 2) args.put(a[i], a[i + 1]);
        int batch = Integer.parseInt(args.getOrDefault("--batch", "25"));
        out = Paths.get(args.get("--out")); Files.createDirectories(out);
        Configuration c = Cluster.start(1);
        c.setString("table.optimizer.reuse-sub-plan-enabled", "false"); c.setString("table.optimizer.reuse-source-enabled", "false");
        env = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(c).build());
        OracleRunner.t = env; OracleRunner.ordered = true;
        for (String s : OracleRunner.split(Files.readString(Paths.get(args.get("--tables"))))) OracleRunner.run(s, new HashMap<>());
        List<String> all = Files.readAllLines(Paths.get(args.get("--in")));
        for (int i = 0; i < all.size(); i += batch) {
            Map<Integer, String> some = new TreeMap<>();
            for (int n = i; n < Math.min(all.size(), i + batch); n++) {
                try { into(n, all.get(n)).explain(); some.put(n, all.get(n)); } catch (Throwable e) { failed(n, e); }
            }
            try { run(some); } catch (Throwable together) {
                for (Map.Entry<Integer, String> e : some.entrySet()) try { run(Map.of(e.getKey(), e.getValue())); } catch (Throwable one) { failed(e.getKey(), one); }
            }
            System.out.println("[oracle] " + Math.min(all.size(), i + batch) + " of " + all.size());
        }
        System.exit(0);
    }

    static void run(Map<Integer, String> some) throws Exception {
        if (some.isEmpty()) return;
        StatementSet jobs = env.createStatementSet();
        for (Map.Entry<Integer, String> e : some.entrySet()) {
            OracleRunner.delete(out.resolve("" + e.getKey()));
            jobs.add(into(e.getKey(), e.getValue()));
        }
        jobs.execute().await();
    }

    static TablePipeline into(int n, String query) {
        Table q = env.sqlQuery(query);
        Schema.Builder schema = Schema.newBuilder();
        for (Column col : q.getResolvedSchema().getColumns()) schema.column(col.getName(), OracleRunner.regular(col.getDataType()).nullable());
        return q.insertInto(TableDescriptor.forConnector("oracle").schema(schema.build()).option("path", out.resolve("" + n).toString())
                .option("changelog", "retract").format("json").build());
    }

    static void failed(int n, Throwable e) throws Exception { Files.writeString(out.resolve(n + ".error"), Expressions.why(e)); }
}
