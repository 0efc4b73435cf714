namespace Mcp.HighAvailability.Redis;

/// <summary>The scripts of the broadcast log.</summary>
/// <remarks>
/// KEYS of both: log (hash: incarnation, number, tail, run, bytes), entries (list), ids (hash: id = position). The entries end at <c>number</c> and their
/// numbers are contiguous. <c>tail</c> is the position of the newest entry. <c>run</c> is the server's run id at the last append.
/// </remarks>
internal static class RedisBroadcastScripts
{
    /// <summary>A position is given once, an id is taken once, and the entry is pushed in the order of the log.</summary>
    /// <remarks>
    /// ARGV: 1 channel, 2 incarnation to begin if one must, 3 and 4 incarnation and number that the caller knows, 5 kind, 6 id, 7 payload, 8 most entries,
    /// 9 most bytes, 10 most milliseconds. Answers the entry; nothing if the log has the id.
    /// </remarks>
    public const string Append = """
        if redis.call('HEXISTS',KEYS[3],ARGV[6])==1 then return {} end
        local t=redis.call('TIME')
        local now=t[1]*1000+math.floor(t[2]/1000)
        local info=redis.pcall('INFO','server')
        local run=type(info)=='string' and string.match(info,'run_id:(%w+)') or '-'
        local log=redis.call('HMGET',KEYS[1],'incarnation','number','tail','run','bytes')
        local incarnation,number,tail,bytes=log[1],tonumber(log[2] or 0),log[3],tonumber(log[5] or 0)
        if not number or not bytes or (log[2] and not (incarnation and tail)) then return redis.error_reply('GARBAGE record') end
        if not incarnation then
          redis.call('DEL',KEYS[2])
          redis.call('DEL',KEYS[3])
          number=tonumber(ARGV[4])
          tail=ARGV[3]=='0' and '0' or ARGV[3]..'.'..ARGV[4]
        end
        if log[4]~=run or (ARGV[3]==incarnation and tonumber(ARGV[4])>number) then incarnation=ARGV[2] end
        number=number+1
        local position=incarnation..'.'..string.format('%.0f',number)
        local entry=position..' '..tail..' '..string.format('%.0f',now)..' '..ARGV[5]..' '..ARGV[6]..'\n'..ARGV[7]
        local count=redis.call('RPUSH',KEYS[2],entry)
        redis.call('HSET',KEYS[3],ARGV[6],position)
        bytes=bytes+#ARGV[7]
        while count>1 do
          local first=redis.call('LINDEX',KEYS[2],'0')
          local time,id,payload=string.match(first,'^%S+ %S+ (%d+) %S+ (%S+)\n()')
          if time and count<=tonumber(ARGV[8]) and bytes<=tonumber(ARGV[9]) and now-tonumber(time)<=tonumber(ARGV[10]) then break end
          redis.call('LPOP',KEYS[2])
          if id then redis.call('HDEL',KEYS[3],id) end
          bytes=bytes-(payload and #first-payload+1 or 0)
          count=count-1
        end
        if count==1 then bytes=#ARGV[7] end
        redis.call('HSET',KEYS[1],'incarnation',incarnation,'number',string.format('%.0f',number),'tail',position,'run',run,'bytes',string.format('%.0f',bytes))
        redis.call('PUBLISH',ARGV[1],entry)
        return {entry}
        """;

    /// <summary>A log that is behind what its reader knows has lost entries, so a new incarnation begins.</summary>
    /// <remarks>ARGV: 1 and 2 incarnation and number that the caller knows, 3 incarnation to begin if one must. Answers the head and the entries behind
    /// it.</remarks>
    public const string Read = """
        local log=redis.call('HMGET',KEYS[1],'incarnation','number')
        local incarnation,number=log[1],tonumber(log[2] or 0)
        if not incarnation then return {'0'} end
        if not number then return redis.error_reply('GARBAGE record') end
        local known=tonumber(ARGV[2])
        local same=ARGV[1]==incarnation
        if same and known==number then return {incarnation..'.'..string.format('%.0f',number)} end
        if same and known>number then
          incarnation=ARGV[3]
          same=false
          redis.call('HSET',KEYS[1],'incarnation',incarnation)
        end
        local count=redis.call('LLEN',KEYS[2])
        local skip=known-(number-count)
        if not same and skip>0 then
          local at=skip<=count and redis.call('LINDEX',KEYS[2],string.format('%.0f',skip-1))
          if not at or string.match(at,'^%S+')~=ARGV[1]..'.'..ARGV[2] then skip=0 end
        end
        local answer={incarnation..'.'..string.format('%.0f',number)}
        if skip<count then
          local entries=redis.call('LRANGE',KEYS[2],string.format('%.0f',math.max(0,skip)),'-1')
          for i=1,#entries do answer[i+1]=entries[i] end
        end
        return answer
        """;
}
