package oracle;

import org.apache.flink.api.common.JobID;
import org.apache.flink.client.ClientUtils;
import org.apache.flink.client.deployment.executors.PipelineExecutorUtils;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.PipelineExecutor;
import org.apache.flink.core.execution.PipelineExecutorFactory;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.runtime.minicluster.MiniClusterJobClient;

/** execution.target = 'oracle': all jobs go to one MiniCluster in this process, much cheaper than one for each. */
public class Cluster implements PipelineExecutorFactory {
    private static MiniCluster cluster;

    /** Starts it with so many slots; the settings of a job that runs on it unless a script says otherwise. */
    static Configuration start(int slots) throws Exception {
        Configuration c = new Configuration();
        c.setString("rest.bind-port", "0");
        c.setString("taskmanager.memory.managed.size", 128 * slots + "m");
        c.setString("taskmanager.memory.network.min", "256m"); c.setString("taskmanager.memory.network.max", "256m");
        cluster = new MiniCluster(new MiniClusterConfiguration.Builder().setConfiguration(c).setNumTaskManagers(1).setNumSlotsPerTaskManager(slots).build());
        cluster.start();
        Configuration job = new Configuration();
        job.setString("execution.target", "oracle"); job.setString("execution.attached", "true");
        job.setString("parallelism.default", "1"); job.setString("table.local-time-zone", "UTC");
        job.setString("pipeline.auto-watermark-interval", "0 ms"); job.setString("restart-strategy.type", "none");
        return job;
    }

    @Override public String getName() { return "oracle"; }
    @Override public boolean isCompatibleWith(Configuration c) { return "oracle".equals(c.getString("execution.target", null)); }
    @Override public PipelineExecutor getExecutor(Configuration own) {
        return (pipeline, given, loader) -> {
            Configuration c = new Configuration(own); c.addAll(given);
            return cluster.submitJob(PipelineExecutorUtils.getStreamGraph(pipeline, c)).thenApplyAsync(submitted -> {
                JobID id = submitted.getJobID();
                try { ClientUtils.waitUntilJobInitializationFinished(() -> cluster.getJobStatus(id).get(), () -> cluster.requestJobResult(id).get(), loader); }
                catch (Exception e) { throw new java.util.concurrent.CompletionException(e); }
                return new MiniClusterJobClient(id, cluster, loader, MiniClusterJobClient.JobFinalizationBehavior.NOTHING);
            });
        };
    }
}
